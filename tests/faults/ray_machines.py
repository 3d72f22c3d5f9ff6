"""A program: embeds on a Ray cluster of one CPU, where an actor exits; then on two machines of one
CPU each, of which one is lost half-way. It runs as a process of its own, for a process joins one
cluster. Prints a JSON of what came out.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import ray
from ray._private import ray_constants, utils
from ray._private.authentication import authentication_token_setup
from ray._private.node import Node
from ray.cluster_utils import Cluster

from artcluster.config import load_config
from artcluster.executors.local import InProcessExecutor
from artcluster.executors.ray.executor import RayExecutor
from artcluster.runtime.progress import Silent, Timings
from artcluster.store import Store
from artcluster.workflows.embedding import embed as embed_pipeline
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.embedding.embed_task import EmbedPart
from artcluster.workflows.job import Job
from tests.workflows.jobs import copy_pictures

FIRST, ALL = 12, 48


@dataclass(frozen=True)
class ExitOnce:
    """An embedder's step whose process exits at its second part, the first time. Picklable."""

    step: EmbedPart
    mark: Path

    def __call__(self) -> Callable[[Any], Any]:
        function = self.step()
        calls = 0

        def apply(part: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 2 and not self.mark.exists():
                self.mark.touch()
                os._exit(1)
            return function(part)

        return apply


def without_dashboard(node: Node, **_: object) -> None:
    node._webui_url = None


def start(folder: Path) -> Cluster:
    """Start a head of one CPU, as small as the heads that the executor starts."""
    ray_constants.ENABLE_RAY_CLUSTER = False
    Node.start_api_server = without_dashboard
    utils.get_dashboard_dependency_error = lambda: ImportError("not wanted")
    authentication_token_setup.enable_token_auth_by_default()
    authentication_token_setup.ensure_token_if_auth_enabled(None, create_token_if_missing=True)
    # Ray notes the address of every such cluster there, and does not make the folder.
    Path("/tmp/ray").mkdir(exist_ok=True)
    return Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 1,
            "node_ip_address": "127.0.0.1",
            "temp_dir": str(folder),
            "include_dashboard": False,
            "no_monitor": True,
            "include_log_monitor": False,
        },
    )


def embedded(executor: RayExecutor, images: Path, store: Path, progress: Silent) -> float:
    flags = {"embed.backbone": "color-histogram", "embed.part_images": 4}
    opened = Store.open(store, create=True)
    local = InProcessExecutor()
    job = Job(load_config(flags=flags), opened, executor, local, progress, Timings(progress))
    began = time.monotonic()
    embed_archive(job, str(images))
    return time.monotonic() - began


def main(folder: Path) -> None:
    images, store, mark = folder / "images", folder / "store", folder / "exited"
    with tempfile.TemporaryDirectory(prefix="ac-", dir="/tmp", ignore_cleanup_errors=True) as name:
        cluster = start(Path(name) / "ray")
        with RayExecutor(cluster.address, node_loss_grace_s=8) as executor:
            copy_pictures(images, FIRST)
            with mock.patch.object(
                embed_pipeline, "EmbedPart", lambda **given: ExitOnce(EmbedPart(**given), mark)
            ):
                one_cpu_s = embedded(executor, images, store, Silent())
            copy_pictures(images, ALL - FIRST, start=FIRST)
            second = cluster.add_node(num_cpus=1, node_ip_address="127.0.0.1")
            machines = executor.resources().nodes

            class Watcher(Silent):
                """Takes a machine away once some of the images are done."""

                done = 0

                def advance(self, stage: str, count: int) -> None:
                    before, self.done = self.done, self.done + count
                    if stage == "embed" and before < 8 <= self.done:
                        cluster.remove_node(second, allow_graceful=False)

            lost_s = embedded(executor, images, store, Watcher())
            left = executor.resources().nodes
            joined = ray.is_initialized()
        outlives = bool(cluster.head_node.live_processes())
        cluster.shutdown()
    outcome = {
        "exited": mark.exists(),
        "one_cpu_s": one_cpu_s,
        "machines": machines,
        "left": left,
        "lost_s": lost_s,
        "joined": joined,
        "cluster_outlives_executor": outlives,
    }
    sys.stdout.write(json.dumps(outcome) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
