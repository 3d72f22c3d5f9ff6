"""The first step of embedding: a part's files to one array of pixels, and the facts beside it."""

import time
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from artcluster.archive.fetch import Fetcher, FetchSettings
from artcluster.archive.parts import Part, PartRef, PartRow, read_part
from artcluster.archive.readers import FetchedFile
from artcluster.config import ImageSettings
from artcluster.images.rejects import ImageInfo, Reject
from artcluster.location import Location, redact
from artcluster.runtime.executor import Claim, Claims
from artcluster.schema import IMAGES
from artcluster.store import Store
from artcluster.workflows.embedding.decoding import (
    Decoded,
    FaceLooker,
    WholePictures,
    decoder_for,
    keep_boxes,
)
from artcluster.workflows.embedding.embedder import ReadyEmbedder, stored_state


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
    planned_at: datetime
    """A time on the driver's clock after the plan was made."""

    def __call__(self) -> Callable[[PartRef], DecodedPart]:
        """Start a decoder and return the step."""
        take = decoder_for(self.embedder, self.images, stored_state(self.store, self.embedder))
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
        # Tells what was tried since the plan was made, whatever a worker's clock says.
        seen_at = max(datetime.now(UTC), self.planned_at)
        policy = self.embedder.policy.policy_id
        rows = [
            image_row(
                part,
                row,
                file,
                infos.get(file.content_id)
                if file.content_id is not None
                else self._too_large(file),
                policy,
                seen_at,
            )
            for row, file in fetched
        ]
        return images_table(rows)

    def _too_large(self, file: FetchedFile) -> ImageInfo | None:
        if file.outcome != "too-large":
            return None
        detail = (
            f"{file.size_bytes:,} bytes, archive.max_file_bytes allows "
            f"{self.fetch.max_file_bytes:,}"
        )
        return ImageInfo(None, None, None, Reject("fetch", "too-large", detail))


_FROM_THE_FILE = ("width", "height", "format", "version")

_UNFIT = Reject("decode", "corrupt", "the file states a value that no table can hold")


def image_row(
    part: Part,
    row: PartRow,
    file: FetchedFile,
    info: ImageInfo | None,
    pixel_policy: str,
    seen_at: datetime,
) -> dict[str, Any]:
    """Return the row of one file.

    Args:
        part: What the file was read for.
        row: The file as it was listed.
        file: What came of reading it.
        info: What came of decoding it; None where it was not read.
        pixel_policy: Under which it was decoded.
        seen_at: When.
    """
    gone = file.outcome == "gone"
    unread = file.outcome == "unread"
    damage = None if info is None else info.damage
    reject = None if info is None else info.reject
    if unread:
        reject = Reject("fetch", "unread", file.fault)
    return {
        "archive_id": part.archive_id,
        "path": row.path,
        "uri": redact(row.uri),
        "scan_id": part.scan_id,
        "size_bytes": row.size_bytes if gone or unread else file.size_bytes,
        "version": row.version if gone or unread else file.version,
        # A picture that had a vector keeps it while its file cannot be read.
        "content_id": row.content_id if unread else file.content_id,
        "width": None if info is None else info.width,
        "height": None if info is None else info.height,
        "format": None if info is None else info.format,
        "status": _status(file, reject),
        **(_why(reject) if damage is None else {"reason": "damaged", "detail": damage}),
        "pixel_policy": pixel_policy,
        "seen_at": seen_at,
    }


def _status(file: FetchedFile, reject: Reject | None) -> str:
    if file.outcome == "gone":
        return "removed"
    if file.outcome == "unread":
        return "unread"
    return "ok" if reject is None else "rejected"


def images_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Return a part's rows as a table; a row that cannot be built becomes its file's reject."""
    try:
        return pa.Table.from_pylist(rows, IMAGES.schema)
    except _CANNOT_BE_BUILT:
        return pa.concat_tables(map(_row_table, rows))


_CANNOT_BE_BUILT = (pa.ArrowException, ValueError, TypeError, OverflowError)


def _row_table(row: dict[str, Any]) -> pa.Table:
    try:
        return pa.Table.from_pylist([row], IMAGES.schema)
    except _CANNOT_BE_BUILT:
        without = row | dict.fromkeys(_FROM_THE_FILE) | {"status": "rejected"} | _why(_UNFIT)
        return pa.Table.from_pylist([without], IMAGES.schema)


def _why(reject: Reject | None) -> dict[str, str | None]:
    return {
        "stage": None if reject is None else reject.stage,
        "reason": None if reject is None else reject.reason,
        "detail": None if reject is None else redact(reject.detail),
    }
