"""The token of Ray clusters on this machine; Ray itself would let others read it."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path


def make_token() -> None:
    """Make `~/.ray/auth_token` for this user alone, unless there is a token already.

    Whoever holds the token may run code as this user.
    """
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return
    path = Path.home() / ".ray" / "auth_token"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # mkstemp's files are their owner's alone. A link, so that of two processes one wins.
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix="auth_token-")
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(temporary)
        finally:
            Path(temporary).unlink()
    if path.stat().st_mode & 0o077:
        with contextlib.suppress(PermissionError):  # Somebody else's, who lets us read it.
            path.chmod(0o600)
