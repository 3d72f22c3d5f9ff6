"""Something is not installed: a skip on a user's machine, a failure in CI."""

import os
from typing import NoReturn

import pytest


def absent(what: str) -> NoReturn:
    """Skip the test for want of something, unless CI is set: there everything is installed."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing")
    pytest.skip(f"{what} is missing")
