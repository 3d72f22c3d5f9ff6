"""A real server of Azure's blob protocol for tests: Azurite on loopback, data in memory."""

import base64
import contextlib
import hashlib
import hmac
import os
import shutil
import socket
import subprocess
import time
from email.utils import formatdate
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

import obstore
from obstore.store import AzureStore

from artcluster.location import Location

ROOT = Path(__file__).parents[1]
ACCOUNT = "museum"
KEY = "bXVzZXVtLWtleS1vZi10aGUtdGVzdHMtb25seQ=="
CONTAINER = "archive"


def azurite() -> str | None:
    """Return the server's program: on the path, or where `make azurite` puts it."""
    folder = ROOT / ".venv" / "node_modules" / ".bin"
    return shutil.which("azurite-blob", path=f"{folder}{os.pathsep}{os.environ.get('PATH', '')}")


class AzureServer:
    """One running server; ended by `kill`."""

    secret = KEY

    def __init__(self, program: str, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
        self.options = {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": KEY,
            "AZURE_STORAGE_ENDPOINT": self.endpoint,
            "AZURE_ALLOW_HTTP": "true",
        }
        self._log = (folder / "azurite.log").open("wb")
        self._process = subprocess.Popen(
            [
                *(program, "--silent", "--disableTelemetry", "--inMemoryPersistence"),
                *("--skipApiVersionCheck", "--blobHost", "127.0.0.1", "--blobPort", str(port)),
            ],
            env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"},
            cwd=folder,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self._wait_until_ready(folder)

    def location(self) -> Location:
        """A place in the server's container that nothing else uses."""
        return Location.parse(f"az://{CONTAINER}/{uuid4().hex}", self.options)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _wait_until_ready(self, folder: Path) -> None:
        store = AzureStore(
            CONTAINER,
            config=self.options,
            client_options={"allow_http": True, "timeout": "5s"},
            retry_config={"max_retries": 0},
        )
        deadline = time.monotonic() + 60
        while True:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                log = (folder / "azurite.log").read_text(errors="replace")
                raise RuntimeError(f"Azurite did not start:\n{log[-4000:]}")
            with contextlib.suppress(Exception):
                self._make_container()
                obstore.put(store, "ready", b"yes")
                return
            time.sleep(0.1)

    def _make_container(self) -> None:
        """Create the container, with a request signed as Azure's documents say."""
        date, version = formatdate(usegmt=True), "2021-12-02"
        headers = f"x-ms-date:{date}\nx-ms-version:{version}\n"
        resource = f"/{ACCOUNT}/{ACCOUNT}/{CONTAINER}\nrestype:container"
        text = "PUT" + "\n" * 12 + headers + resource
        digest = hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)
        signature = base64.b64encode(digest).decode()
        request = Request(
            f"{self.endpoint}/{CONTAINER}?restype=container",
            method="PUT",
            headers={
                "x-ms-date": date,
                "x-ms-version": version,
                "Content-Length": "0",
                "Authorization": f"SharedKey {ACCOUNT}:{signature}",
            },
        )
        try:
            urlopen(request, timeout=5).close()
        except HTTPError as error:
            if error.code != 409:
                raise
