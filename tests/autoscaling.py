"""A Ray cluster whose autoscaler starts machines, each a raylet on this one.

Ray's own `AutoscalingCluster` begins with `ray stop --force`, which ends other clusters too, and
reads a file that Ray's wheel leaves out.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.ray_session import descendants

_START_S = 120.0
_COMMANDS = [
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
    "cluster_synced_files",
    "rsync_exclude",
    "rsync_filter",
]
_MONITOR = """
import runpy, sys
import ray.autoscaler._private.fake_multi_node as fake
fake.__file__, config, address, logs = sys.argv[1:]
sys.argv = ["monitor.py", f"--gcs-address={address}", f"--autoscaling-config={config}",
            f"--logs-dir={logs}", "--monitor-ip=127.0.0.1"]
runpy.run_module("ray.autoscaler.v2.monitor", run_name="__main__")
"""


class AutoscaledCluster:
    """A head without CPUs, and up to `most` workers of two CPUs, of which one is always there."""

    def __init__(self, most: int) -> None:
        from ray.autoscaler._private.fake_multi_node.node_provider import FAKE_HEAD_NODE_ID

        self.folder = Path(tempfile.mkdtemp(prefix="ac-", dir="/tmp"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        names = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "OMP_NUM_THREADS")
        self.environment = {name: os.environ[name] for name in names if name in os.environ} | {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_FAKE_CLUSTER": "1",
            "RAY_enable_autoscaler_v2": "1",
            "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        }
        workers = {
            "resources": {"CPU": 2, "object_store_memory": 100_000_000},
            "node_config": {},
            "min_workers": 1,
            "max_workers": most,
        }
        common: dict[str, Any] = {name: [] for name in _COMMANDS} | {
            "cluster_name": "fake_multinode",
            "max_workers": most,
            "upscaling_speed": 10.0,
            "idle_timeout_minutes": 10,
            "auth": {},
            "file_mounts": {},
            "file_mounts_sync_continuously": False,
        }
        config = common | {
            "provider": {
                "type": "fake_multinode",
                "launch_multiple": True,
                "gcs_address": self.address,
                "head_node_id": FAKE_HEAD_NODE_ID,
            },
            "available_node_types": {
                "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
                "cpu": workers,
            },
            "head_node_type": "ray.head.default",
        }
        self._config = self.folder / "cluster.json"
        self._config.write_text(json.dumps(config))
        defaults = common | {"provider": {"type": "fake_multinode"}}
        (self.folder / "example.yaml").write_text(json.dumps(defaults))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._head_id, self._port = FAKE_HEAD_NODE_ID, port

    def __enter__(self) -> "AutoscaledCluster":
        head = {
            "RAY_CLOUD_INSTANCE_ID": self._head_id,
            "RAY_OVERRIDE_NODE_ID_FOR_TESTING": self._head_id,
            "RAY_NODE_TYPE_NAME": "ray.head.default",
        }
        self._start(
            "head",
            [
                *(str(Path(sys.executable).with_name("ray")), "start", "--head", "--block"),
                *("--no-monitor", "--include-dashboard=false", "--disable-usage-stats"),
                *("--node-ip-address=127.0.0.1", f"--port={self._port}", "--num-cpus=0"),
                *("--object-store-memory=100000000", f"--temp-dir={self.folder / 'ray'}"),
                f"--autoscaling-config={self._config}",
            ],
            self.environment | head,
        )
        end = time.monotonic() + _START_S
        while "Ray runtime started" not in (self.folder / "head.log").read_text():
            if time.monotonic() > end:
                raise TimeoutError((self.folder / "head.log").read_text()[-4000:])
            time.sleep(0.2)
        logs = self.folder / "ray" / "session_latest" / "logs"
        package = str(self.folder / "__init__.py")
        self._start(
            "monitor",
            [sys.executable, "-c", _MONITOR, package, str(self._config), self.address, str(logs)],
            self.environment,
        )
        return self

    def _start(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    command, env=environment, stdout=log, stderr=log, start_new_session=True
                )
            )

    def __exit__(self, *_: object) -> None:
        family = [pid for each in self._processes for pid in (each.pid, *descendants(each.pid))]
        for pid in {*family, *self._raylets()}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for each in self._processes:
            each.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _raylets(self) -> list[int]:
        """Return what the autoscaler started: it outlives it, and names this cluster's folder."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if str(self.folder).encode() in (process / "cmdline").read_bytes():
                    found.append(int(process.name))
        return found
