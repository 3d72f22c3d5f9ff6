import ipaddress
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ray._private import ray_constants, services

from artcluster.errors import ArtclusterError, UsageError
from artcluster.executors.ray import private
from artcluster.executors.ray.cluster import RayCluster, explain, require_reachable
from artcluster.executors.ray.executor import RayExecutor

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[3]


def test_a_killed_driver_leaves_nothing_behind_and_never_listened_to_others():
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.executors.ray.own_cluster"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    found = json.loads(program.stdout.readline())
    program.kill()
    program.wait()
    program.stdout.close()
    assert found["cpus"] == 1
    assert len(found["pids"]) >= 3
    assert found["listening"]
    assert all(ipaddress.ip_address(address).is_loopback for address in found["listening"])
    end = time.monotonic() + 60
    while alive := [pid for pid in found["pids"] if runs(pid)]:
        assert time.monotonic() < end, alive
        time.sleep(0.1)


def runs(pid):
    """Whether a process runs; Ray's agents go a minute later, when they have given up reporting."""
    process = Path(f"/proc/{pid}")
    try:
        if "agent" in (process / "cmdline").read_text().lower():
            return False
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_head_that_dies_is_told_of(caplog):
    """Ray ends the driver then, at once or within a minute, without a word."""

    class Dying:
        """A stand-in for a head whose raylet was killed."""

        def dead(self):
            cluster._closing.set()
            return "raylet (exit code -9)"

    cluster = RayCluster()
    cluster._watch(Dying())
    assert "ended unasked: raylet (exit code -9)" in caplog.text


def test_sizes_are_for_a_cluster_of_ones_own(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    with pytest.raises(UsageError, match="unset RAY_ADDRESS"):
        RayExecutor(cpus=2)
    assert RayCluster().address == "10.0.0.1:6379"


@pytest.mark.parametrize(
    ("error", "address", "words"),
    [
        (ConnectionError("refused"), "10.0.0.1:6379", "No Ray cluster answers at '10.0.0.1:6379'"),
        (RuntimeError("Version mismatch: The cluster"), "h:1", "another version of Ray or Python"),
        (RuntimeError("InvalidAuthToken: Authentication token is"), "h:1", "RAY_AUTH_TOKEN_PATH"),
        (Exception("The current node timed out"), None, "A local Ray cluster did not start"),
        (ImportError("no ray"), None, "Ray cannot be imported"),
    ],
)
def test_errors_say_what_to_do(error, address, words):
    found = explain(error, address)
    assert isinstance(found, ArtclusterError)
    assert words in str(found)


def test_an_address_where_nobody_answers_is_told_at_once():
    """Ray itself tries for minutes."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match="refused"):
            require_reachable(address)


def test_a_port_that_is_not_a_heads_is_told_of():
    """Ray itself says nothing for minutes; the dashboard's port is the usual slip."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=r"no Ray head.*not the dashboard's") as caught:
            private.check_head(address, timeout_s=1.0)
    assert f"No Ray cluster answers at {address!r}" in str(explain(caught.value, address))


def test_a_loopback_head_is_joined_on_the_loopback(monkeypatch):
    monkeypatch.setattr(ray_constants, "ENABLE_RAY_CLUSTER", True)
    monkeypatch.setattr(services, "get_node_ip_address", lambda: "127.0.0.9")
    with socket.socket() as head:
        head.bind(("127.0.0.1", 0))
        head.listen()
        require_reachable(f"127.0.0.1:{head.getsockname()[1]}")
    assert not ray_constants.ENABLE_RAY_CLUSTER
