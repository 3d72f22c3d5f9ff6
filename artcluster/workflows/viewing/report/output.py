"""The files of a report: written anew, and those of an earlier one removed."""

import json
from collections.abc import Iterable

from artcluster.pages.atlas import Tile
from artcluster.store.blobs import Blobs
from artcluster.workflows.viewing.thumbnails import Thumbnails

_MANIFEST = "files.json"


class Output:
    """Files of a report, and those of an earlier one that are no longer part of it."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        known = blobs.read_if_exists(_MANIFEST)
        self._before: set[str] = set(json.loads(known)) if known is not None else set()
        self.sizes: dict[str, int] = {}

    def write(self, path: str, data: bytes) -> None:
        """Write a file in the place of an earlier one."""
        self._blobs.write(path, data)
        self.sizes[path] = len(data)

    def sheets(self, thumbnails: Thumbnails, content_ids: Iterable[str]) -> None:
        """Copy the sheets with these contents' thumbnails.

        A sheet that is there already is the same one: its name is a hash of what it holds.
        """
        tiles: list[Tile | None] = [thumbnails.get(content_id) for content_id in content_ids]
        for name in sorted({tile.sheet for tile in tiles if tile is not None}):
            path = f"thumbnails/{thumbnails.grid.cell_px}/{name}.webp"
            if path in self._before and self._blobs.exists(path):
                self.sizes[path] = self._blobs.size_bytes(path)
            else:
                self.write(path, thumbnails.sheet(name))

    def finish(self) -> None:
        """Remove what an earlier report left, and note what this one is made of."""
        self._blobs.delete(sorted(self._before - set(self.sizes)))
        self._blobs.write(_MANIFEST, json.dumps(sorted(self.sizes)).encode())
