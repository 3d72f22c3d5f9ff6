"""A program: embeds on two machines of one CPU each, of which one is lost half-way.

Prints a JSON of the summary. It runs as a process of its own, for a process joins one cluster.
"""

import json
import sys
import tempfile
from pathlib import Path

from artcluster.config import load_config
from artcluster.executors.in_process import InProcessExecutor
from artcluster.executors.ray_executor import RayExecutor
from artcluster.stages.embed import embed_archive
from artcluster.stages.job import Job
from artcluster.stages.progress import Silent, Timings
from artcluster.stages.summary import as_json
from artcluster.store import Store
from tests.executors.two_machines import start


def main(images: str, store: str) -> None:
    with tempfile.TemporaryDirectory(prefix="ac-", dir="/tmp", ignore_cleanup_errors=True) as name:
        cluster = start(Path(name) / "ray")
        second = cluster.add_node(num_cpus=1, node_ip_address="127.0.0.1")

        class Watcher(Silent):
            """Takes a machine away once a quarter of the images is done."""

            done = 0

            def advance(self, stage: str, count: int) -> None:
                before, self.done = self.done, self.done + count
                if stage == "embed" and before < 12 <= self.done:
                    cluster.remove_node(second, allow_graceful=False)

        watcher = Watcher()
        flags = {"embed.backbone": "mobilenet_v2", "embed.part_images": 4}
        with RayExecutor(cluster.address, node_loss_grace_s=8) as executor:
            machines = executor.resources().nodes
            job = Job(
                load_config(flags=flags),
                Store.open(store, create=True),
                executor,
                InProcessExecutor(),
                watcher,
                Timings(watcher),
            )
            done = embed_archive(job, images)
            left = executor.resources().nodes
        cluster.shutdown()
    outcome = {"machines": machines, "left": left, "summary": as_json(done)}
    sys.stdout.write(json.dumps(outcome) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
