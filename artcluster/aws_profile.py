"""AWS keys from a profile (`~/.aws`), which neither obstore nor delta-rs reads by itself."""

import importlib.util
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from artcluster.errors import UsageError
from artcluster.redaction import redact


def is_set_up() -> bool:
    """Tell whether there is a profile to read, and botocore to read it."""
    named = os.environ.get("AWS_PROFILE")
    shared = os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    if not named and not Path(shared).expanduser().is_file():
        return False
    return importlib.util.find_spec("botocore") is not None


def keys() -> dict[str, str]:
    """Return the profile's keys of this moment as storage options.

    Raises:
        UsageError: The profile has none.
    """
    found = _read()
    options = {
        "AWS_ACCESS_KEY_ID": found.access_key,
        "AWS_SECRET_ACCESS_KEY": found.secret_key,
        "AWS_SESSION_TOKEN": found.token,
    }
    return {name: value for name, value in options.items() if value}


class Provider:
    """Gives obstore the profile's keys, again whenever temporary ones may have run out."""

    def __call__(self) -> dict[str, Any]:
        """Return the keys as obstore takes them."""
        found = _read()
        return {
            "access_key_id": found.access_key,
            "secret_access_key": found.secret_key,
            "token": found.token,
            "expires_at": datetime.now(UTC) + timedelta(minutes=5) if found.token else None,
        }


def _read() -> Any:
    import botocore.exceptions  # type: ignore[import-untyped]
    import botocore.session  # type: ignore[import-untyped]

    try:
        found = botocore.session.Session().get_credentials()
    except botocore.exceptions.BotoCoreError as failed:
        raise UsageError(f"Cannot read the AWS profile: {redact(str(failed))}.") from None
    if found is None:
        raise UsageError(
            "The AWS profile has no credentials. Set AWS_PROFILE to one that has, or set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true for a "
            "public bucket."
        )
    return found.get_frozen_credentials()
