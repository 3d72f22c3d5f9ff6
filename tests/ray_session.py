"""A Ray head with a dashboard and token authentication, to submit jobs to: `submit(args)`."""

import contextlib
import ipaddress
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
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
_START_S = 180
_NOT_SUBMITTED = ("No available agent", "Failed to connect to Ray at address")


class RayHead:
    """Started with the command of cluster_configs/local.yaml; ended by its process id."""

    def __init__(self) -> None:
        # Short, for the sockets below it.
        self.folder = Path(tempfile.mkdtemp(prefix="ac-", dir="/tmp"))
        token = self.folder / "token"
        token.write_text(secrets.token_hex(32))
        token.chmod(0o600)
        self.port, dashboard = _free_port(), _free_port()
        self.url = f"http://127.0.0.1:{dashboard}"
        names = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
        self.environment = {name: os.environ[name] for name in names if name in os.environ} | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            # Numbers for Prometheus are told every ten seconds by default.
            "RAY_metrics_report_interval_ms": "500",
            "ARTCLUSTER_RAY_PORT": str(self.port),
            "ARTCLUSTER_DASHBOARD_PORT": str(dashboard),
            "ARTCLUSTER_AGENT_PORT": str(_free_port()),
            "ARTCLUSTER_RAY_DIR": str(self.folder / "ray"),
        }
        config = yaml.safe_load((ROOT / "cluster_configs" / "local.yaml").read_text())
        (self.command,) = config["head_start_ray_commands"]
        self.log = self.folder / "head.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the head and wait until it takes jobs.

        On a busy machine Ray gives up after 30 seconds, though it answers by then: it is started
        again.
        """
        end = time.monotonic() + _START_S
        self._launch()
        while not (self._is_up() and self.status("/api/jobs/", token=True) == 200):
            if time.monotonic() > end:
                text = self.log.read_text()[-4000:]
                self.stop()
                raise RuntimeError(f"The head did not start: {text}")
            if self._process is not None and self._process.poll() is not None:
                self._launch()
            time.sleep(0.5)

    def _launch(self) -> None:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["bash", "-c", f"exec env {self.command}"],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _is_up(self) -> bool:
        return "Ray runtime started" in self.log.read_text()

    def status(self, path: str, *, token: bool) -> int:
        """Return the HTTP status of the dashboard's answer, 0 if there is none."""
        try:
            with urllib.request.urlopen(self._request(path, token=token), timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def numbers(self) -> str:
        """Return what Prometheus would read, by the list of places that Ray keeps for it."""
        found = self.folder / "ray" / "prom_metrics_service_discovery.json"
        places = json.loads(found.read_text()) if found.exists() else []
        texts = []
        for address in (address for place in places for address in place["targets"]):
            with contextlib.suppress(OSError):
                url = f"http://{address}/metrics"
                texts.append(urllib.request.urlopen(url, timeout=10).read().decode())
        return "\n".join(texts)

    def _request(self, path: str, *, token: bool) -> urllib.request.Request:
        request = urllib.request.Request(self.url + path)
        if token:
            secret = Path(self.environment["RAY_AUTH_TOKEN_PATH"]).read_text()
            request.add_header("Authorization", f"Bearer {secret}")
        return request

    def answer(self, path: str) -> dict[str, Any]:
        """Return the data of the dashboard's answer, asked with the token."""
        with urllib.request.urlopen(self._request(path, token=True), timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)["data"]
            return found

    def listening(self) -> list[str]:
        """Return the IP addresses that the head's processes accept connections at."""
        assert self._process is not None
        return listening(descendants(self._process.pid))

    def submit(self, args: Sequence[str], *, timeout_s: float = 300) -> tuple[int, str]:
        """Submit `python ARGS` with the repository as working directory; wait for its end."""
        command = ["ray", "job", "submit", "--address", self.url, "--working-dir", str(ROOT)]
        end = time.monotonic() + _START_S
        while True:
            done = subprocess.run(
                [*command, "--", "python", *args],
                env=self.environment,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=timeout_s,
                check=False,
            )
            # The head answers before the agent that starts jobs has joined it; on a busy machine it
            # may not answer in time.
            refused = any(text in done.stdout for text in _NOT_SUBMITTED)
            if not refused or time.monotonic() > end:
                return done.returncode, done.stdout
            time.sleep(1)

    def stop(self) -> None:
        """End the head and what it started, by their process ids, and remove its folder."""
        if self._process is not None and self._process.poll() is None:
            family = descendants(self._process.pid)
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=5)
            for pid in [*family, self._process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def descendants(pid: int) -> list[int]:
    """Return the process ids of what a process started, and what those started."""
    parents: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for known in found:
        found.extend(child for child, parent in parents.items() if parent == known)
    return found[1:]


def listening(pids: Sequence[int]) -> list[str]:
    """Return the IP addresses that processes accept TCP connections at."""
    inodes = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                inodes[f"socket:[{fields[9]}]"] = fields[1].rpartition(":")[0]
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for handle in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    found.add(inodes.get(str(handle.readlink()), ""))
    return sorted(_readable(address) for address in found if address)


def _readable(address: str) -> str:
    """Return an address of /proc/net as people write it."""
    words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
    found = ipaddress.ip_address(b"".join(words))
    return str(getattr(found, "ipv4_mapped", None) or found)
