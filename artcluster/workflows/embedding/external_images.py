"""Pictures that a store does not hold, on their way to a vector: read, decoded, embedded."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from artcluster.archive.fetch import Fetcher
from artcluster.archive.listing import Listing
from artcluster.archive.parts import PartRow
from artcluster.config import Config
from artcluster.embedders import Embedder
from artcluster.errors import UsageError
from artcluster.images.sandbox.decoder import Decoder
from artcluster.location import Location
from artcluster.store import Store
from artcluster.store.vectors import find_vectors
from artcluster.workflows.archives import fetch_settings
from artcluster.workflows.embedding.decoding import open_decoder
from artcluster.workflows.embedding.embedder import ReadyEmbedder, load_embedder, read_embedder

_AT_ONCE = 64


@dataclass(frozen=True)
class ExternalImage:
    """A picture's bytes.

    Attributes:
        name: What a person calls it.
        uri: Where it lies; None for bytes that were handed in.
        data: The bytes; none where they could not be had.
        reason: Why not.
    """

    name: str
    uri: str | None
    data: bytes = field(repr=False)
    reason: str = ""

    @property
    def content_id(self) -> str | None:
        """SHA-256 of the bytes; None without any."""
        return None if self.reason else hashlib.sha256(self.data).hexdigest()


class ExternalImages:
    """Reads pictures and embeds them as an embedder of the store does; loads it at first need.

    Args:
        store: Holds the embedder and its vectors.
        embedder_id: Which embedder.
        config: How pictures are fetched and decoded; the pixel policy is the embedder's.
        threads: CPU threads of the embedder.
    """

    def __init__(self, store: Store, embedder_id: str, config: Config, threads: int) -> None:
        self._store = store
        self._embedder_id = embedder_id
        self._config = config
        self._threads = threads

    @cached_property
    def _ready(self) -> ReadyEmbedder:
        return read_embedder(self._store, self._embedder_id)

    @cached_property
    def _decoder(self) -> Decoder:
        return open_decoder(self._ready.policy, self._ready.contract.input_px, self._config.images)

    @cached_property
    def _embed(self) -> Embedder:
        return load_embedder(self._store, self._ready, self._config.embed, "auto", self._threads)

    def at(self, place: str) -> Iterator[list[ExternalImage]]:
        """Yield the pictures of a file or folder, some at a time.

        Raises:
            UsageError: There is none.
            ArchiveError: A file cannot be read.
        """
        location = Location.parse(place, self._config.archive.options)
        if location.is_local and not Path(location.uri).exists():
            raise self._nothing(location)
        fetcher = Fetcher(location, fetch_settings(self._config))
        found = False
        for batch in Listing(location, fetch=fetch_settings(self._config)):
            for start in range(0, batch.num_rows, _AT_ONCE):
                rows = [
                    PartRow(**row, content_id=None)
                    for row in batch.slice(start, _AT_ONCE).to_pylist()
                ]
                found = True
                yield [
                    ExternalImage(row.path, row.uri, file.data)
                    if file.outcome == "ok"
                    else ExternalImage(row.path, row.uri, b"", file.outcome)
                    for row, file in fetcher.fetch_many(rows)
                ]
        if not found:
            raise self._nothing(location)

    def _nothing(self, location: Location) -> UsageError:
        return UsageError(
            f"there is no picture {str(location)!r}: expected a path of the store's own pictures, "
            "a content_id (8 digits at least), a file or a folder"
        )

    def embedded(
        self, batch: Sequence[ExternalImage]
    ) -> list[tuple[ExternalImage, np.ndarray | None]]:
        """Return each picture with its vector; with a reason and none where it cannot be used.

        Vectors that the store has are not computed again.
        """
        ids = [each.content_id for each in batch]
        known = find_vectors(
            self._store, self._embedder_id, [each for each in ids if each is not None]
        )
        new = [place for place, each in enumerate(ids) if each is not None and each not in known]
        fresh: dict[int, np.ndarray] = {}
        reasons = {place: each.reason for place, each in enumerate(batch)}
        if new:
            decoded = self._decoder.decode([batch[place].data for place in new])
            accepted = [new[int(row)] for row in decoded.accepted]
            if accepted:
                fresh = dict(zip(accepted, self._embed(decoded.pixels_NHWC), strict=True))
            for place, info in zip(new, decoded.infos, strict=True):
                if info.reject is not None:
                    reasons[place] = f"{info.reject.reason}: {info.reject.detail}"
        return [
            (replace(each, reason=reasons[place]), fresh.get(place, known.get(ids[place] or "")))
            for place, each in enumerate(batch)
        ]
