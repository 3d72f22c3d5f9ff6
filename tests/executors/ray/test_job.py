"""What the head of cluster_configs/local.yaml lets others do; tests/jobs submits to it."""

import ipaddress
import subprocess
import sys

import pytest

from artcluster.executors.ray import private
from artcluster.executors.ray.cluster import explain

pytestmark = pytest.mark.ray


def test_a_head_answers_with_the_token_alone(ray_head):
    assert ray_head.status("/api/jobs/", token=False) == 401
    assert ray_head.status("/api/jobs/", token=True) == 200


def test_another_token_is_told_of(ray_head):
    address = f"127.0.0.1:{ray_head.port}"
    with pytest.raises(ConnectionError, match="Authentication failed") as caught:
        private.check_head(address)
    assert "RAY_AUTH_TOKEN_PATH" in str(explain(caught.value, address))


def test_a_head_listens_on_this_machine_alone(ray_head):
    addresses = ray_head.listening()
    assert addresses
    assert all(ipaddress.ip_address(address).is_loopback for address in addresses)


def test_a_head_reports_to_nobody(ray_head):
    assert ray_head.answer("/usage_stats_enabled")["usageStatsEnabled"] is False


def test_what_outlives_a_job_does_not_join_the_cluster_again(ray_head):
    """Such as a thread of Ray Data, on a busy machine: its process did not end then."""
    code = """
import ray
from artcluster.executors.ray.cluster import RayCluster

cluster = RayCluster()
cluster.wait()
reference = ray.put(1)
cluster.close()
try:
    ray.get(reference)
finally:
    print("joined again:", ray.is_initialized())
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=ray_head.environment | {"RAY_ADDRESS": f"127.0.0.1:{ray_head.port}"},
    )
    assert done.stdout == "joined again: False\n", done.stderr
