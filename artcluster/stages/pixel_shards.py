"""Pixels of an archive, decoded once and kept in the store as arrays that training reads."""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from artcluster.archive.fetch import Fetcher, FetchSettings
from artcluster.archive.parts import PartRef, read_part
from artcluster.config import ImageSettings
from artcluster.images.policy import PixelPolicy
from artcluster.location import Location
from artcluster.stages.decoding import open_decoder
from artcluster.store import Store

_ROWS = re.compile(r"-(\d+)\.npy$")


@dataclass(frozen=True)
class DecodePixels:
    """Decodes parts into arrays in the store, unless they lie there. Picklable."""

    store: Store
    archive: Location
    folder: str
    policy: PixelPolicy
    size_px: tuple[int, int]
    images: ImageSettings
    fetch: FetchSettings

    def __call__(self) -> Callable[[PartRef], str]:
        """Start a decoder and return the step: a part's reference to its array's path."""
        decoder = open_decoder(self.policy, self.size_px, self.images)
        fetcher = Fetcher(self.archive, self.fetch)

        def decode(ref: PartRef) -> str:
            part = read_part(self.store.location, ref)
            blobs = {
                file.content_id: file.data
                for _, file in fetcher.fetch_many(part.rows)
                if file.content_id is not None
            }
            pixels = decoder.decode(list(blobs.values())).pixels_NHWC
            path = f"{self.folder}/{ref.part:06d}-{len(pixels)}.npy"
            content = io.BytesIO()
            np.save(content, pixels)
            self.store.write_bytes_if_absent(path, content.getvalue())
            return path

        return decode


@dataclass(frozen=True)
class LoadPixels:
    """Loads some arrays as one, where they are needed. Picklable."""

    store: Store
    paths: Sequence[str]

    def __call__(self) -> np.ndarray:
        """Return uint8 (N, H, W, 3)."""
        arrays = [np.load(io.BytesIO(self.store.read_bytes(path))) for path in self.paths]
        return np.concatenate(arrays)


def rows_of_array(path: str) -> int:
    """Return the rows that an array's name states.

    >>> rows_of_array("pixels/a/000003-17.npy")
    17
    """
    found = _ROWS.search(path)
    assert found, path
    return int(found[1])
