"""Small files of a store: models' weights, plans, scans, leases."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError

from artcluster.errors import StoreError
from artcluster.location import Location, ObjectStore
from artcluster.location.redaction import redact

_STEP_UP = re.compile(r"(^|/)\.{0,2}(/|$)")


_ADVICE = {
    "404 Not Found": " Is the bucket's name right? Buckets are not made by this program.",
    "403 Forbidden": " Are the credentials right, and do they allow this?",
    "error sending request": " Is the endpoint right, and can it be reached from here?",
    "os error 13": " May this user write there?",
    "os error 28": " The disk is full.",
}


@dataclass(frozen=True)
class Entry:
    """One file of a store, as a listing tells of it; the time is by the storage's clock."""

    path: str
    size_bytes: int
    modified_at: datetime


class Blobs:
    """Files below a store's root, by path relative to it. Picklable."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self._objects: ObjectStore | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"location": self.location, "_objects": None}

    @property
    def objects(self) -> ObjectStore:
        """The object store rooted at the location."""
        if self._objects is None:
            self._objects = self.location.objects()
        return self._objects

    def read(self, path: str) -> bytes:
        """Return a file's bytes.

        Raises:
            StoreError: There is no such file, or it cannot be read.
        """
        found = self.read_if_exists(path)
        if found is None:
            raise StoreError(f"The store {self.location} has no file {path!r}.")
        return found

    def read_if_exists(self, path: str) -> bytes | None:
        """Return a file's bytes, or None where there is no such file."""
        try:
            return bytes(obstore.get(self.objects, _checked(path)).bytes())
        except (NotFoundError, FileNotFoundError):
            return None
        except (BaseError, OSError) as failed:
            raise self._failed("read", path, failed) from failed

    def read_range(self, path: str, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to `end`, not included."""
        try:
            return bytes(obstore.get_range(self.objects, _checked(path), start=start, end=end))
        except (BaseError, OSError) as failed:
            raise self._failed("read", path, failed) from failed

    def write(self, path: str, data: Any) -> None:
        """Write a file whole, in the place of what may be there: readers see old or new."""
        try:
            obstore.put(self.objects, _checked(path), data)
        except (BaseError, OSError) as failed:
            raise self._failed("write", path, failed) from failed

    def write_if_absent(self, path: str, data: Any) -> bool:
        """Create a file; False, and nothing written, where there is one of this name."""
        try:
            obstore.put(self.objects, _checked(path), data, mode="create", use_multipart=False)
        except (AlreadyExistsError, FileExistsError):
            return False
        except (BaseError, OSError) as failed:
            raise self._failed("create", path, failed) from failed
        return True

    def exists(self, path: str) -> bool:
        """Tell whether there is a file at a path."""
        try:
            obstore.head(self.objects, _checked(path))
        except (NotFoundError, FileNotFoundError):
            return False
        except (BaseError, OSError) as failed:
            raise self._failed("find", path, failed) from failed
        return True

    def size_bytes(self, path: str) -> int:
        """Return a file's size.

        Raises:
            StoreError: There is no such file, or it cannot be read.
        """
        try:
            return int(obstore.head(self.objects, _checked(path))["size"])
        except (BaseError, OSError) as failed:
            raise self._failed("find", path, failed) from failed

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the paths of all files below a folder, in no order."""
        for path, _ in self.list_sizes(prefix):
            yield path

    def list_sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield path and size in bytes of all files below a folder, in no order."""
        for entry in self.entries(prefix):
            yield entry.path, entry.size_bytes

    def entries(self, prefix: str) -> Iterator[Entry]:
        """Yield all files below a folder, in no order."""
        try:
            for batch in obstore.list(self.objects, prefix=prefix.strip("/") or None):
                for entry in batch:
                    yield Entry(entry["path"], entry["size"], entry["last_modified"])
        except (BaseError, OSError) as failed:
            raise self._failed("list", prefix, failed) from failed

    def names(self) -> Sequence[str]:
        """Return the names of the files and folders at the root, sorted."""
        try:
            found = obstore.list_with_delimiter(self.objects)
        except (BaseError, OSError) as failed:
            raise self._failed("list", "", failed) from failed
        return sorted([*found["common_prefixes"], *(each["path"] for each in found["objects"])])

    def delete(self, paths: Sequence[str]) -> None:
        """Delete files; those that do not exist are passed over."""
        for path in paths:
            try:
                obstore.delete(self.objects, _checked(path))
            except (NotFoundError, FileNotFoundError):
                continue
            except (BaseError, OSError) as failed:
                raise self._failed("delete", path, failed) from failed

    def _failed(self, verb: str, path: str, error: Exception) -> StoreError:
        reason = redact(str(error).split("\n", 1)[0])
        advice = next((say for sign, say in _ADVICE.items() if sign in reason), "")
        return StoreError(f"Could not {verb} {path!r} in {self.location}: {reason}{advice}")


def _checked(path: str) -> str:
    if not path or _STEP_UP.search(path):
        raise StoreError(f"Expected a path below the store's root, got {path!r}.")
    return path
