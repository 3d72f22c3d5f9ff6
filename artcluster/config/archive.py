"""What can be set about an archive and its metadata."""

from typing import Annotated

from pydantic import Field

from artcluster.config.base import Settings


class ArchiveSettings(Settings):
    """Which files an archive holds, how they are read, and what is known about them."""

    id: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    """Name of the archive in the store; by default a readable part of its URI and a hash."""
    include: tuple[str, ...] = ()
    """Globs of paths to take; empty takes everything."""
    exclude: tuple[str, ...] = ()
    """Globs of paths to leave out."""
    list_column: str | None = None
    """Column of addresses, where the archive is a CSV or Parquet list; by default guessed."""
    list_root: str | None = None
    """What a list's relative addresses are relative to; by default the list's own folder."""
    skip_unreadable: bool = False
    """Leave out folders that cannot be read, where otherwise the listing fails."""
    options: dict[str, str] = Field(default_factory=dict, repr=False)
    """Storage options (credentials, endpoint) of the archive; never written anywhere."""
    max_removed_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """A scan that would remove more than this share of the known images stops."""
    fetch_threads: Annotated[int, Field(ge=1, le=256)] = 16
    """Files fetched at once by one worker from object storage."""
    fetch_retries: Annotated[int, Field(ge=0, le=20)] = 5
    """How often a failing read is tried again, with exponential backoff, before the job stops."""
    max_file_bytes: Annotated[int, Field(gt=0)] = 2 << 30
    """A larger file is a reject, and is not read."""


class MetadataSettings(Settings):
    """A table of the user's own columns, joined to the images."""

    source: str | None = None
    """CSV, Parquet or JSONL at a path or URI."""
    join: str | None = None
    """The column that names the image; by default `path`, then usual names."""
    encoding: str | None = None
    """Of a CSV; by default UTF-8, or what its byte order mark says."""
    delimiter: str | None = None
    """Of a CSV; by default found in its header."""
