"""A program for `ray job submit`: a stream on the cluster that runs it."""

import json
import os
import sys

from artcluster.executors.ray_executor import RayExecutor
from tests.executors import arithmetic


def main() -> None:
    with RayExecutor() as executor:
        executor.start()
        results = list(executor.stream(range(5), arithmetic.steps(), stall_timeout_s=300))
        resources = executor.resources()
    outcome = {
        "sums": sorted(item["sum"] for item in results),
        "address": os.environ.get("RAY_ADDRESS"),
        "nodes": resources.nodes,
    }
    sys.stdout.write(f"outcome {json.dumps(outcome)}\n")


if __name__ == "__main__":
    main()
