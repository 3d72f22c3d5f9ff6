"""The first step of embedding: a part's files to one array of pixels, and the facts beside it."""

import time
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from artcluster.archive.fetch import Fetcher, FetchSettings
from artcluster.archive.parts import Part, PartRef, PartRow, read_part
from artcluster.archive.readers import FetchedFile
from artcluster.config import ImageSettings
from artcluster.images.rejects import ImageInfo, Reject
from artcluster.location import Location
from artcluster.runtime.executor import Claim, Claims
from artcluster.store import Store
from artcluster.workflows.embedding.decoding import (
    Decoded,
    FaceLooker,
    WholePictures,
    keep_boxes,
    taker_for,
)
from artcluster.workflows.embedding.embedder import ReadyEmbedder, stored_state
from artcluster.workflows.embedding.image_rows import image_row, images_table


@dataclass(frozen=True)
class DecodedPart:
    """A part on its way to the embedder.

    Attributes:
        part_id: Its name.
        images: Rows of the `images` table, one a path.
        decoded: What to embed.
        size_bytes: Bytes read.
        fetch_s: Seconds spent reading.
        decode_s: Seconds spent decoding.
    """

    part_id: str
    images: pa.Table
    decoded: Decoded
    size_bytes: int
    fetch_s: float
    decode_s: float

    def __repr__(self) -> str:
        return f"part {self.part_id}"


@dataclass(frozen=True)
class DecodePart:
    """Fetches, hashes and decodes parts. Picklable; called once in each worker process."""

    store: Store
    archive: Location
    embedder: ReadyEmbedder
    claims: Claims
    images: ImageSettings
    fetch: FetchSettings
    boxes: Mapping[str, Set[str]]
    """Faces that have vectors already, by contents that do not count as looked at."""

    def __call__(self) -> Callable[[PartRef], DecodedPart]:
        """Start a decoder and return the step."""
        take = taker_for(self.embedder, self.images, stored_state(self.store, self.embedder))
        fetcher = Fetcher(self.archive, self.fetch)

        def decode(ref: PartRef) -> DecodedPart:
            return self._decode(read_part(self.store.location, ref), fetcher, take)

        return decode

    def _decode(
        self, part: Part, fetcher: Fetcher, take: WholePictures | FaceLooker
    ) -> DecodedPart:
        began = time.perf_counter()
        fetched = list(fetcher.fetch_many(part.rows))
        fetch_s = time.perf_counter() - began
        contents = {f.content_id: f.data for _, f in fetched if f.content_id is not None}
        answers = self.claims.claim(part.part_id, list(contents))
        began = time.perf_counter()
        known = [c for c, a in zip(contents, answers, strict=True) if a == Claim.COMMITTED]
        # A content that another part embeds now is decoded here too: only that tells whether its
        # picture is sound.
        unknown = [c for c, a in zip(contents, answers, strict=True) if a != Claim.COMMITTED]
        infos = dict(zip(known, take.decoder.probe([contents[c] for c in known]), strict=True))
        mine = {c for c, a in zip(contents, answers, strict=True) if a == Claim.YOURS}
        decoded = keep_boxes(take({c: contents[c] for c in unknown}, mine), self.boxes)
        infos.update(zip(unknown, decoded.infos, strict=True))
        return DecodedPart(
            part_id=part.part_id,
            images=self._rows(part, fetched, infos),
            decoded=decoded,
            size_bytes=sum(len(data) for data in contents.values()),
            fetch_s=fetch_s,
            decode_s=time.perf_counter() - began,
        )

    def _rows(
        self,
        part: Part,
        fetched: list[tuple[PartRow, FetchedFile]],
        infos: dict[str, ImageInfo],
    ) -> pa.Table:
        seen_at = datetime.now(UTC)
        policy = self.embedder.policy.policy_id
        rows = [
            image_row(
                part,
                row,
                file,
                infos.get(file.content_id) if file.content_id is not None else self._unread(file),
                policy,
                seen_at,
            )
            for row, file in fetched
        ]
        return images_table(rows)

    def _unread(self, file: FetchedFile) -> ImageInfo | None:
        if file.outcome != "too-large":
            return None
        detail = (
            f"{file.size_bytes:,} bytes, archive.max_file_bytes allows "
            f"{self.fetch.max_file_bytes:,}"
        )
        return ImageInfo(None, None, None, Reject("fetch", "too-large", detail))
