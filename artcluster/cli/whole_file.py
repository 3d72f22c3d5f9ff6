"""Writing a file so that it appears when it is whole, or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from artcluster.errors import UsageError


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing; it takes its name when the block ends without an error.

    Raises:
        UsageError: It cannot be written there.
    """
    parts = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        with parts.open("xb") as file:
            yield file
        os.replace(parts, path)  # noqa: PTH105
    except OSError as failed:
        raise UsageError(f"cannot write {str(path)!r}: {failed.strerror or failed}") from None
    finally:
        with suppress(OSError):
            parts.unlink(missing_ok=True)
