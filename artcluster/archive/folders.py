"""Listing a local folder: links followed without looping, a fault never taken for emptiness."""

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa

from artcluster.archive.entries import EntryBuffer, Selection, Tally, is_text, local_uri, printable
from artcluster.errors import ArchiveError

_SORTED_ENTRIES = 65_536


Identity = tuple[int, int]
"""Device and inode: a folder, by whatever path it was reached."""


_Chain: TypeAlias = "tuple[Identity, _Chain] | None"


def identity(path: str) -> Identity | None:
    """Return a folder's identity, or None if there is no such folder."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@dataclass(frozen=True)
class FolderWalk:
    """One walk through a local folder, depth first, each folder's files by name.

    Folders are read and sorted 65,536 entries at a time, so that one folder of millions is
    listed in bounded memory too.

    Attributes:
        root: Absolute path.
        selection: Which files to list.
        tally: Where to count what is left out.
        leave_out: Identities of folders not to look into: a store inside the archive.
        skip_unreadable: Record folders that cannot be read, instead of failing.
    """

    root: str
    selection: Selection
    tally: Tally
    leave_out: Collection[Identity] = ()
    skip_unreadable: bool = False

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        buffer = EntryBuffer()
        stack: list[tuple[str, _Chain]] = [("", None)]
        while stack:
            relative, parents = stack.pop()
            folders: list[str] = []
            try:
                found = Path(self._absolute(relative)).stat()
                here = found.st_dev, found.st_ino
                if not self._is_new(relative, here, parents):
                    continue
                for chunk in self._read(relative):
                    for entry in chunk:
                        self._take(entry, relative, folders, buffer)
                        yield from buffer.full()
            except OSError as error:
                self._unreadable(relative, error)
                continue
            chain = (here, parents)
            stack.extend((folder, chain) for folder in sorted(folders, reverse=True))
        yield from buffer.rest()

    def _absolute(self, relative: str) -> str:
        return os.path.join(self.root, relative) if relative else self.root  # noqa: PTH118

    def _is_new(self, relative: str, here: Identity, parents: _Chain) -> bool:
        if here in self.leave_out:
            self.tally.skip("store", printable(relative))
            return False
        while parents is not None:
            seen, parents = parents
            if seen == here:
                self.tally.skip("link-loop", printable(relative))
                return False
        return True

    def _read(self, relative: str) -> Iterator[list[os.DirEntry[str]]]:
        chunk: list[os.DirEntry[str]] = []
        with os.scandir(self._absolute(relative)) as entries:
            for entry in entries:
                chunk.append(entry)
                if len(chunk) == _SORTED_ENTRIES:
                    yield sorted(chunk, key=_name)
                    chunk = []
        yield sorted(chunk, key=_name)

    def _take(
        self, entry: os.DirEntry[str], relative: str, folders: list[str], buffer: EntryBuffer
    ) -> None:
        path = f"{relative}/{entry.name}" if relative else entry.name
        shown = path
        if not is_text(path):
            shown = printable(path)
            self._check_unique(entry)
        try:
            if entry.is_dir():
                self._descend(entry.name, path, folders)
                return
            refusal = self.selection.refusal(shown)
            if refusal:
                self.tally.skip(refusal, shown)
                return
            found = entry.stat()
        except OSError as error:
            if entry.is_symlink():
                self.tally.lose(shown, "broken-link")
                return
            if isinstance(error, FileNotFoundError):
                self.tally.skip("vanished", shown)
                return
            raise
        if stat.S_ISREG(found.st_mode):
            buffer.add(shown, local_uri(entry.path), found.st_size, str(found.st_mtime_ns))
        else:
            self.tally.skip("not-a-file", shown)

    def _descend(self, name: str, path: str, folders: list[str]) -> None:
        if self.selection.enters(name):
            folders.append(path)
        else:
            self.tally.skip("hidden", printable(path))

    def _check_unique(self, entry: os.DirEntry[str]) -> None:
        twin = os.path.join(os.path.dirname(entry.path), printable(entry.name))  # noqa: PTH118, PTH120
        if twin != entry.path and os.path.lexists(twin):
            raise ArchiveError(
                f"Two files have the same name in a table: {twin!r}, and one whose name is not "
                "valid UTF-8 and is written with percent escapes. Rename one of them."
            )

    def _unreadable(self, relative: str, error: OSError) -> None:
        if relative and self.skip_unreadable:
            self.tally.lose(printable(relative), "unreadable-folder")
            return
        folder = printable(self._absolute(relative))
        advice = (
            "Make it readable, or leave such folders out with archive.skip_unreadable."
            if relative
            else "Check the path, and that its disk or share is mounted."
        )
        raise ArchiveError(
            f"Cannot list the folder {folder!r}: {error.strerror or error}. Nothing of this "
            f"listing is used, since it would be incomplete. {advice}"
        ) from error


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name
