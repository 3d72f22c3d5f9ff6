"""Placement on Ray clusters of one, two and four machines: where a stream's items are worked on.

Machines are Ray nodes on this one, each with two logical CPUs and one logical GPU. 96 items, each
an array of 8 × 64 × 64 × 3, pass through two steps, as parts do: `decode`, tasks of one CPU that
wait 0.1 s, and `embed`, actors of one GPU that wait 0.05 s. The waits stand for work that these two
cores could not do four times over; what is measured is who gets which item, and how time shrinks.
"""

import json
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

RESULT = Path(__file__).parent / "results" / "placement.json"
NODES = (1, 2, 4)
ITEMS = 96
DECODE_S, EMBED_S = 0.1, 0.05


@dataclass(frozen=True)
class Decode:
    """Stands for decoding. Picklable."""

    def __call__(self) -> Callable[[int], Any]:
        import ray

        here = ray.get_runtime_context().get_node_id()

        def decode(item: int) -> Any:
            time.sleep(DECODE_S)
            return item, here, np.zeros((8, 64, 64, 3), np.uint8)

        return decode


@dataclass(frozen=True)
class Embed:
    """Stands for the network. Picklable."""

    def __call__(self) -> Callable[[Any], Any]:
        import ray

        here = ray.get_runtime_context().get_node_id()

        def embed(decoded: Any) -> Any:
            item, decoded_at, _ = decoded
            time.sleep(EMBED_S)
            return item, decoded_at, here

        return embed


def stream(nodes: int) -> dict[str, Any]:
    """Run the stream on a cluster of so many machines. A process joins one cluster."""
    from ray.cluster_utils import Cluster

    from artcluster.executors.ray.executor import RayExecutor
    from artcluster.runtime.executor import Step

    machine = {"num_cpus": 2, "num_gpus": 1, "node_ip_address": "127.0.0.1"}
    with tempfile.TemporaryDirectory(prefix="ac-", dir="/tmp", ignore_cleanup_errors=True) as name:
        head = {**machine, "temp_dir": name, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        for _ in range(nodes - 1):
            cluster.add_node(**machine)
        with RayExecutor(cluster.address) as executor:
            resources = executor.resources()
            steps = [
                Step("decode", Decode()),
                Step("embed", Embed(), cpus=0.0, gpus=1.0, workers=(1, int(resources.gpus))),
            ]
            list(executor.stream(range(8), steps, stall_timeout_s=120))
            began = time.perf_counter()
            found = list(executor.stream(range(ITEMS), steps, stall_timeout_s=120))
            seconds = time.perf_counter() - began
        cluster.shutdown()
    assert sorted(item for item, _, _ in found) == list(range(ITEMS))
    return {
        "machines": resources.nodes,
        "gpus": resources.gpus,
        "seconds": seconds,
        "decoded_by_machine": sorted(Counter(at for _, at, _ in found).values()),
        "embedded_by_machine": sorted(Counter(at for _, _, at in found).values()),
        "embedded_where_decoded": sum(a == b for _, a, b in found) / len(found),
    }


def main() -> None:
    import subprocess

    rows = []
    for nodes in NODES:
        done = subprocess.run(
            [sys.executable, __file__, "--nodes", str(nodes)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    machine = {"cpus": os.cpu_count(), "processor": platform.machine(), "system": platform.system()}
    RESULT.write_text(
        json.dumps({"work": __doc__, "machine": machine, "clusters": rows}, indent=1) + "\n"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--nodes"]:
        print(json.dumps(stream(int(sys.argv[2]))))
    else:
        main()
