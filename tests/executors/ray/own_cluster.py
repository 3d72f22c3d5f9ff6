"""A program: starts a cluster of its own, prints what listens where, and waits to be killed."""

import json
import os
import sys
import threading

from artcluster.executors.ray.executor import RayExecutor
from tests.ray_session import descendants, listening


def main() -> None:
    executor = RayExecutor(cpus=1)
    resources = executor.resources()
    family = descendants(os.getpid())
    found = {"cpus": resources.cpus, "pids": family, "listening": listening(family)}
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
