"""A program: streams over a cluster that grows; prints a JSON of who did which item.

It is a process of its own, for a process joins one cluster.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import ray

from artcluster.executors.ray.executor import RayExecutor
from artcluster.runtime.executor import Step

ITEMS, MACHINES = 400, 3


class Mark:
    """Adds the machine and the process to an item; takes its time until the cluster has grown."""

    def __init__(self, grown: Path, seconds: float) -> None:
        self.grown, self.seconds = grown, seconds

    def __call__(self) -> Callable[[list], list]:
        return self.apply

    def apply(self, item: list) -> list:
        if not self.grown.exists():
            time.sleep(self.seconds)
        return [*item, ray.get_runtime_context().get_node_id(), os.getpid()]


def main(address: str, grown: Path) -> None:
    steps = [
        Step("decode", Mark(grown, 0.1)),
        Step("embed", Mark(grown, 0.4), workers=(1, 6)),
    ]
    results = []
    with RayExecutor(address) as executor:
        for result in executor.stream(([n] for n in range(ITEMS)), steps, stall_timeout_s=200):
            results.append(result)
            if len({embedded_on for _, _, _, embedded_on, _ in results}) == MACHINES:
                grown.touch()
    sys.stdout.write(json.dumps(results) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
