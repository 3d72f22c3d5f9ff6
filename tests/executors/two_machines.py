"""A program: streams on a cluster of one CPU, then on two machines of which one is lost half-way.

Prints a JSON of what came out. It runs as a process of its own, for a process joins one cluster.
"""

import json
import sys
import tempfile
from pathlib import Path

import ray
from ray._private import ray_constants, utils
from ray._private.authentication import authentication_token_setup
from ray._private.node import Node
from ray.cluster_utils import Cluster

from artcluster.executors.ray_executor import RayExecutor
from artcluster.stages.executor import Step
from tests.executors import arithmetic, waiting

ITEMS = 24
GATE = 12


def without_dashboard(node: Node, **_: object) -> None:
    node._webui_url = None


def start(folder: Path) -> Cluster:
    ray_constants.ENABLE_RAY_CLUSTER = False
    # As small as the heads that the executor starts: several in a row are slow to come up.
    Node.start_api_server = without_dashboard
    utils.get_dashboard_dependency_error = lambda: ImportError("not wanted")
    authentication_token_setup.enable_token_auth_by_default()
    authentication_token_setup.ensure_token_if_auth_enabled(None, create_token_if_missing=True)
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


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ac-", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        cluster = start(folder / "ray")
        with RayExecutor(cluster.address, node_loss_grace_s=8) as executor:
            one = list(executor.stream(range(6), arithmetic.steps(), stall_timeout_s=300))
            second = cluster.add_node(num_cpus=1, node_ip_address="127.0.0.1")
            machines = executor.resources().nodes
            steps = [
                Step("decode", waiting.Gate(folder, GATE)),
                Step("embed", arithmetic.refuse_nothing, workers=(1, 2)),
            ]
            results = []
            for item in executor.stream(range(ITEMS), steps, stall_timeout_s=300):
                results.append(item)
                if len(results) == GATE // 2:
                    cluster.remove_node(second, allow_graceful=False)
                    (folder / "open").touch()
            left = executor.resources().nodes
            joined = ray.is_initialized()
        still = bool(cluster.head_node.live_processes())
        cluster.shutdown()
    outcome = {
        "one_cpu": sorted(item["sum"] for item in one),
        "machines": machines,
        "results": sorted(results),
        "left": left,
        "joined": joined,
        "cluster_outlives_executor": still,
    }
    sys.stdout.write(json.dumps(outcome) + "\n")


if __name__ == "__main__":
    main()
