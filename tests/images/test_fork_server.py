from pathlib import Path

import pytest

from artcluster.images.fork_server import ForkServer
from artcluster.images.messages import Settings
from artcluster.images.policy import PixelPolicy


def test_a_process_that_decodes_has_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "RAY_AUTH_TOKEN", "DB_PASSWORD")
    for name in (*secrets, "google_application_credentials"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("LANG", "C.UTF-8")
    server = ForkServer(Settings(PixelPolicy(), (8, 8), 1 << 28, None))
    environment = Path(f"/proc/{server.pid}/environ").read_bytes()
    server.close()
    assert b"hunter2" not in environment
    assert b"LANG=C.UTF-8" in environment
