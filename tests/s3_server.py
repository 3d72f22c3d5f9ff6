"""A real S3 server for tests: SeaweedFS on free loopback ports, its data in a temporary folder."""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import obstore
from obstore.store import S3Store

from artcluster.location import Location

KEY_ID = "test-key-id"
SECRET = "test-secret-of-the-server"
BUCKET = "museum"


class S3Server:
    """One running server; `restart` after `kill` finds the same data again."""

    secret = SECRET

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = ("s3", "master", "volume", "filer")
        self.ports = dict(zip((*names, *(f"{n}.grpc" for n in names)), _free_ports(8), strict=True))
        self.endpoint = f"http://127.0.0.1:{self.ports['s3']}"
        self.options = {
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        config = self.folder / "s3.json"
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        credentials = [{"accessKey": KEY_ID, "secretKey": SECRET}]
        identity = {"name": "test", "credentials": credentials, "actions": actions}
        config.write_text(json.dumps({"identities": [identity]}))
        ports = [
            f"-{name.removesuffix('.grpc')}.port{'.grpc' if name.endswith('.grpc') else ''}={port}"
            for name, port in self.ports.items()
        ]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    str(Path(sys.executable).with_name("weed")),
                    "server",
                    f"-dir={data}",
                    "-ip=127.0.0.1",
                    "-ip.bind=127.0.0.1",
                    "-filer",
                    "-s3",
                    f"-s3.config={config}",
                    "-s3.port.iceberg=0",
                    "-s3.port.lance=0",
                    "-s3.iam=false",
                    "-master.volumeSizeLimitMB=256",
                    "-volume.max=20",
                    "-master.telemetry=false",
                    *ports,
                ],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self._wait_until_ready()

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        self.kill()
        self.start()

    def location(self, prefix: str = "") -> Location:
        """A place in the server's bucket that nothing else uses."""
        return Location.parse(f"s3://{BUCKET}/{prefix or uuid4().hex}", self.options)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > deadline:
                log = (self.folder / "server.log").read_text(errors="replace")
                self.kill()
                raise RuntimeError(f"The S3 server did not start:\n{log[-4000:]}")
            with contextlib.suppress(Exception):
                self._make_bucket()
                obstore.put(self._bucket(), "ready", b"yes")
                return
            time.sleep(0.1)

    def _bucket(self) -> S3Store:
        return S3Store(
            BUCKET,
            config=self.options,
            client_options={"allow_http": True, "timeout": "5s"},
            retry_config={"max_retries": 0},
        )

    def _make_bucket(self) -> None:
        import s3fs

        filesystem = s3fs.S3FileSystem(
            key=KEY_ID, secret=SECRET, endpoint_url=self.endpoint, skip_instance_cache=True
        )
        if not filesystem.exists(BUCKET):
            filesystem.mkdir(BUCKET)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _die_with_parent() -> None:
    """Have the kernel kill the server should the tests be killed (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)
        if os.getppid() == 1:
            os._exit(1)
