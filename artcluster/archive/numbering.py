"""Folders numbered upwards, each claimed by one job alone, and finished by a JSON written last."""

import json
import re
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError

from artcluster.errors import StoreError
from artcluster.location import ObjectStore

_CLAIM = "started"
_NUMBER = re.compile(r"\d{8}")


def claim_number(store: ObjectStore, folder: str) -> int:
    """Claim the next number in a folder and return it; no other job gets the same."""
    number = max(numbers(store, folder), default=0) + 1
    while True:
        try:
            obstore.put(store, f"{numbered(folder, number)}/{_CLAIM}", b"", mode="create")
        except AlreadyExistsError:
            number += 1
        else:
            return number


def numbers(store: ObjectStore, folder: str) -> list[int]:
    """Return the numbers claimed in a folder, upwards, whether finished or not."""
    prefixes = obstore.list_with_delimiter(store, folder)["common_prefixes"]
    names = (prefix.rpartition("/")[2] for prefix in prefixes)
    return sorted(int(name) for name in names if _NUMBER.fullmatch(name))


def numbered(folder: str, number: int) -> str:
    """Return the folder of a number.

    >>> numbered("scans/met", 3)
    'scans/met/00000003'
    """
    return f"{folder}/{number:08d}"


def finish(store: ObjectStore, path: str, content: dict[str, Any]) -> None:
    """Write the JSON that makes a numbered folder count.

    Raises:
        StoreError: It is there already.
    """
    try:
        obstore.put(store, path, json.dumps(content, indent=1).encode(), mode="create")
    except AlreadyExistsError:
        raise StoreError(f"Expected {path!r} not to exist yet, but another job wrote it.") from None


def read_finished(store: ObjectStore, path: str) -> dict[str, Any] | None:
    """Return a finished folder's JSON, or None if it was never finished."""
    try:
        content: dict[str, Any] = json.loads(bytes(obstore.get(store, path).bytes()))
    except FileNotFoundError:
        return None
    return content
