"""What is missing: a reason to skip on a user's machine, and a failure in continuous integration."""

import os

import pytest


def absent(what: str) -> None:
    """Skip the test for want of something, unless CI is set: there everything is installed."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing")
    pytest.skip(f"{what} is missing")
