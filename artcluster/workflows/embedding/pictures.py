"""Small copies of an archive's pictures, decoded where a broken one does no harm."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import repeat
from types import TracebackType
from typing import TYPE_CHECKING

from PIL import Image

from artcluster.archive.fetch import Fetcher
from artcluster.config import Config
from artcluster.errors import ArchiveError
from artcluster.images.faces import Face, crop_face
from artcluster.images.policy import PixelPolicy
from artcluster.images.sandbox.decoder import Decoder
from artcluster.images.thumbnail import decode_thumbnail, inside
from artcluster.location import Location
from artcluster.store.members import Box
from artcluster.workflows.archives import fetch_settings
from artcluster.workflows.embedding.decoding import open_decoder

if TYPE_CHECKING:  # torch takes seconds to import
    from artcluster.images.sandbox.zygote import DecodeOne

_LARGE_PX = 2048
_RETRIES = 1
"""A picture that is only looked at is not worth a long wait."""


@dataclass(frozen=True)
class Picture:
    """What became of one picture.

    Attributes:
        image: In mode RGB, upright, in its own shape; None where there is none.
        missing: Why there is none: gone, unreadable, or the decoder's reason.
    """

    image: Image.Image | None
    missing: str = ""


class Pictures:
    """Reads originals by their URIs and shrinks them. Threads may share it.

    Args:
        config: How files are fetched and decoded.
        box_px: Side of the square that a small copy fits in.
        decode_one: Makes the small copy in the decoder's process.
    """

    def __init__(
        self, config: Config, box_px: int, decode_one: "DecodeOne" = decode_thumbnail
    ) -> None:
        self._config = config
        self._box = (box_px, box_px)
        self._fetchers: dict[str, Fetcher] = {}
        self._lock = threading.Lock()
        self._decode_one = decode_one
        self._policy = PixelPolicy(decode="scaled", max_pixels=config.images.max_pixels)
        self._closing = ExitStack()
        self._pool = self._closing.enter_context(
            ThreadPoolExecutor(config.archive.fetch_threads, "pictures")
        )

    def __enter__(self) -> "Pictures":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.close()

    def many(
        self,
        uris: Sequence[str],
        content_ids: Sequence[str] | None = None,
        regions: Sequence[str] | None = None,
    ) -> list[Picture]:
        """Return the pictures at URIs as `at` does, those of object storage several at a time."""
        local = all(uri.startswith(("/", "file:")) for uri in uris)
        apply = map if local else self._pool.map
        return list(apply(self.at, uris, content_ids or repeat(None), regions or repeat("")))

    def at(self, uri: str, content_id: str | None = None, region: str = "") -> Picture:
        """Return the picture at a URI; a file that cannot be read is no error.

        Args:
            uri: Where it lies.
            content_id: What must lie there still; None for whatever does.
            region: A part to cut out, with some of what is around it; '' for the whole picture.
        """
        try:
            found = self._fetcher(uri).fetch(uri)
        except ArchiveError as failed:
            return Picture(None, f"unreadable: {failed}")
        if found.outcome != "ok":
            return Picture(None, found.outcome)
        if content_id not in (None, found.content_id):
            return Picture(None, "changed")
        return self.of(found.data, region)

    def of(self, blob: bytes, region: str = "") -> Picture:
        """Return the small copy of an encoded picture, or of a part of it."""
        part = Box.of(region)
        with self._lock:
            decoder = self._small if part is None else self._large
            batch = decoder.decode([blob])
        info = batch.infos[0]
        if info.reject is not None:
            return Picture(None, info.reject.reason)
        assert info.height is not None
        assert info.width is not None
        height, width = inside((info.height, info.width), decoder.size_px)
        pixels = batch.pixels_NHWC[0][:height, :width]
        if part is None:
            return Picture(Image.fromarray(pixels.copy()))
        face = Face(part.x, part.y, part.width, part.height, 1.0, ())
        shrunk = face.scaled(width / info.width, height / info.height)
        return Picture(Image.fromarray(crop_face(pixels, shrunk, self._box[0])))

    @cached_property
    def _small(self) -> Decoder:
        return self._decoder(self._box, self._decode_one)

    @cached_property
    def _large(self) -> Decoder:
        """Decodes pictures to cut parts out of."""
        side = max(_LARGE_PX, *self._box)
        return self._decoder((side, side), decode_thumbnail)

    def _decoder(self, box: tuple[int, int], decode_one: "DecodeOne") -> Decoder:
        decoder = open_decoder(self._policy, box, self._config.images, decode_one)
        return self._closing.enter_context(decoder)

    def _fetcher(self, uri: str) -> Fetcher:
        """Return what reads files of this kind of place; each is made once."""
        place = Location.parse(uri, self._config.archive.options)
        with self._lock:
            known = self._fetchers.get(place.protocol)
            if known is None:
                root = Location.parse("/") if place.is_local else place
                settings = replace(fetch_settings(self._config), retries=_RETRIES)
                known = self._fetchers[place.protocol] = Fetcher(root, settings)
        return known
