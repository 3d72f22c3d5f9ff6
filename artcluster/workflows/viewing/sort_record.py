"""What sorting made in a folder, kept there: so that it is known what may be removed again."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from artcluster.errors import UsageError

FOLDER = ".artcluster-sort"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS made
    (name TEXT PRIMARY KEY, uri TEXT, content_id TEXT, kind TEXT) WITHOUT ROWID;
CREATE TEMP TABLE wanted
    (name TEXT PRIMARY KEY, uri TEXT, content_id TEXT, kind TEXT) WITHOUT ROWID;
"""
_SAME = "m.name = w.name AND m.uri = w.uri AND m.content_id IS w.content_id AND m.kind = w.kind"


@dataclass(frozen=True)
class SortedFile:
    """One image in a folder of sorted ones.

    Attributes:
        name: Path below the target, `folder/file`.
        uri: Where the original lies.
        content_id: What it holds; None for a reject that was never read.
        kind: "link" or "copy".
    """

    name: str
    uri: str
    content_id: str | None
    kind: str


class SortRecord:
    """The record of one target folder; a small database in it, open for one process at a time."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    @classmethod
    @contextmanager
    def open(cls, target: Path) -> Iterator["SortRecord"]:
        """Open a folder's record; a folder without one must be empty or not be there.

        Raises:
            UsageError: The folder holds other things, another process sorts into it, or it cannot
                be written.
        """
        folder = target / FOLDER
        try:
            if not folder.is_dir() and target.exists() and any(target.iterdir()):
                raise UsageError(
                    f"{target} holds other things: expected a folder that is new, empty, or made "
                    "by `artcluster sort`"
                )
            folder.mkdir(parents=True, exist_ok=True)
            for partial in folder.glob("partial-*"):
                partial.unlink()
            database = sqlite3.connect(folder / "made.sqlite", timeout=1, isolation_level=None)
        except (OSError, sqlite3.Error) as failed:
            raise UsageError(f"cannot sort into {target}: {failed}") from None
        try:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("PRAGMA temp_store = FILE")
            database.executescript(_SCHEMA)
            database.execute("BEGIN EXCLUSIVE")
            yield cls(database)
            database.execute("COMMIT")
        except sqlite3.OperationalError as failed:
            raise UsageError(
                f"cannot sort into {target}: {failed}. Does another process sort into it?"
            ) from None
        finally:
            database.close()

    def want(self, files: Iterable[SortedFile]) -> None:
        """Say what shall be there in the end."""
        self._database.executemany(
            "INSERT INTO wanted VALUES (?, ?, ?, ?)",
            ((each.name, each.uri, each.content_id, each.kind) for each in files),
        )

    def obsolete(self) -> Iterator[SortedFile]:
        """Yield what was made and is not wanted; each is forgotten once the next is asked for."""
        query = (
            f"SELECT m.* FROM made AS m WHERE NOT EXISTS (SELECT 1 FROM wanted AS w WHERE {_SAME})"
            " ORDER BY m.name LIMIT 1000"
        )
        while rows := self._database.execute(query).fetchall():
            for row in rows:
                yield SortedFile(*row)
            self._database.executemany(
                "DELETE FROM made WHERE name = ?", ((row[0],) for row in rows)
            )
            self.keep()

    def wanted(self) -> Iterator[tuple[SortedFile, bool]]:
        """Yield what shall be there, and whether it was made before.

        What is yielded is written down first, some hundred at a time.
        """
        last = ""
        query = (
            "SELECT w.*, EXISTS (SELECT 1 FROM made AS m WHERE m.name = w.name) FROM wanted AS w "
            "WHERE w.name > ? ORDER BY w.name LIMIT 500"
        )
        while rows := self._database.execute(query, (last,)).fetchall():
            self._database.executemany(
                "INSERT OR IGNORE INTO made VALUES (?, ?, ?, ?)", (row[:4] for row in rows)
            )
            self.keep()
            for *fields, known in rows:
                yield SortedFile(*fields), bool(known)
            last = rows[-1][0]

    def forget(self, file: SortedFile) -> None:
        """Say that a file was not made after all."""
        self._database.execute("DELETE FROM made WHERE name = ?", (file.name,))

    def keep(self) -> None:
        """Write down what is known, in case the process dies."""
        self._database.execute("COMMIT")
        self._database.execute("BEGIN EXCLUSIVE")
