"""Notes of files that no longer count, in `<table>/_replaced/`: written before the commit.

A merged file lies on for those who read an older version of its table. Under its name a job that
resumes might take it for a shard that was never committed, and commit it again: its rows would be
there twice. The note forbids that, and its age says when the file may go.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from artcluster.errors import StoreError
from artcluster.store.blobs import Blobs


@dataclass(frozen=True)
class Note:
    """Files of one table that a commit took out of it, or is about to.

    Attributes:
        path: Where the note lies, in the store.
        files: Paths in the table's folder.
        written_at: By the store's clock.
        final: Whether they must never be committed again: their rows lie in another file.
    """

    path: str
    files: tuple[str, ...]
    written_at: datetime
    final: bool


def write_note(blobs: Blobs, table: str, files: Sequence[str], *, final: bool) -> None:
    """Note files before the commit that takes them out of their table."""
    content = json.dumps({"files": sorted(files), "final": final})
    blobs.write(f"{_folder(table)}{uuid4().hex}.json", content.encode())


def read_notes(blobs: Blobs, table: str) -> Iterator[Note]:
    """Yield a table's notes.

    Raises:
        StoreError: A note is not readable.
    """
    for entry in blobs.entries(_folder(table)):
        text = blobs.read_if_exists(entry.path)
        if text is None:
            continue
        try:
            content = json.loads(text)
            yield Note(entry.path, tuple(content["files"]), entry.modified_at, content["final"])
        except (ValueError, KeyError, TypeError) as wrong:
            raise StoreError(
                f"The note {entry.path!r} in the store {blobs.location} is not readable "
                f"({wrong!r}). Bring it back from a backup before the next job."
            ) from None


def never_again(blobs: Blobs, table: str) -> set[str]:
    """Return the paths of a table's files that must not be committed again."""
    return {file for note in read_notes(blobs, table) if note.final for file in note.files}


def _folder(table: str) -> str:
    return f"{table}/_replaced/"
