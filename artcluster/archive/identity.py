"""The name of an archive in a store."""

import hashlib
import re
import unicodedata

from artcluster.errors import UsageError
from artcluster.location import Location

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def archive_id_of(location: Location, pattern: str | None = None) -> str:
    """Return an archive's default name: a readable part of its address and a hash of the whole.

    >>> archive_id_of(Location.parse("s3://museum/Scans 2026"))
    'scans-2026-b8e9f83b'
    """
    address = location.uri if pattern is None else f"{location.uri}\n{pattern}"
    digest = hashlib.sha256(address.encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{slug(location.uri.rstrip('/').rpartition('/')[2])}-{digest}"


def check_archive_id(archive_id: str) -> str:
    """Return a name given by the user.

    Raises:
        UsageError: It could not be a folder's name everywhere.
    """
    if not _ID.fullmatch(archive_id):
        raise UsageError(
            f"archive id: expected up to 100 letters, digits, '.', '_' or '-', beginning with a "
            f"letter or digit, got {archive_id!r}."
        )
    return archive_id


def slug(text: str) -> str:
    """Return lower-case ASCII letters, digits and '-' for a text.

    >>> slug("Musée d'Orsay (1/2)")
    'musee-d-orsay-1-2'
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text).strip("-")[:40].strip("-") or "archive"
