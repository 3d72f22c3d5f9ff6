"""Something is not installed: a skip on a user's machine, a failure in CI."""

import os
import sys
from pathlib import Path
from typing import NoReturn

import pytest

PEERS = Path(sys.prefix) / "peers"
"""Programs of others that read what we write, each in an environment of its own: `make peers`."""


def absent(what: str) -> NoReturn:
    """Skip the test for want of something, unless CI is set: there everything is installed."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing")
    pytest.skip(f"{what} is missing")
