"""Pictures of a study as squares of one size, decoded once and kept in the store.

A picture gives one square, several slices where it is huge, or its face where that is wanted. They
lie as `pixels/<what they are>/<which pictures>.npy`, and beside each array, written after it, a
list of what is in it: a job that was killed goes on after the last list.
"""

import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from artcluster.archive.fetch import Fetcher, FetchSettings
from artcluster.config import ImageSettings
from artcluster.errors import UsageError
from artcluster.images.decoder import Decoder
from artcluster.images.face_detector import PACKAGE, detect_faces, detector_version
from artcluster.images.faces import FaceLimits, crop_face, find_faces
from artcluster.images.policy import PixelPolicy
from artcluster.images.slices import DecodeSlices, slice_grid
from artcluster.images.thumbnail import decode_thumbnail, inside
from artcluster.location import Location
from artcluster.stages.decoding import open_decoder
from artcluster.stages.digest import digest
from artcluster.stages.embedder import pixel_policy
from artcluster.stages.executor import Executor, Step
from artcluster.stages.job import Job
from artcluster.stages.scanning import fetch_settings
from artcluster.stages.stored_scan import stored_scan
from artcluster.stages.studies.sample import Sample
from artcluster.store import Store

_CHUNK_IMAGES = 256
_CHUNK_BYTES = 128 << 20


@dataclass(frozen=True)
class Squares:
    """What becomes of a picture.

    Attributes:
        side_px: Side of the squares.
        slice_px: A picture larger than one and a half of this is cut into slices of this side.
        max_slices: Slices of one picture at most; 1 cuts none.
        faces_of: Labels whose pictures are cropped to their surest face.
    """

    side_px: int
    slice_px: int = 1
    max_slices: int = 1
    faces_of: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Source:
    """One picture to decode: where its bytes lie, and what they must still be."""

    content_id: str
    uri: str
    size_bytes: int | None
    face: bool


@dataclass(frozen=True)
class Chunk:
    """An array of squares in the store.

    Attributes:
        array: Its path, uint8 (N, side, side, 3).
        content_ids: Whose squares, in its order.
        squares: How many each picture gave.
        faces: How many of the pictures gave a face.
        missing: Pictures that gave none, by reason.
    """

    array: str
    content_ids: tuple[str, ...]
    squares: tuple[int, ...]
    faces: int
    missing: Mapping[str, int]


@dataclass(frozen=True)
class Pieces:
    """The squares of a study, numbered through all its chunks.

    Attributes:
        chunks: Where they lie.
        chunk_N: Chunk of each square.
        row_N: Its row there.
        picture_N: The row in the sample of the picture that it is of.
        faces: Pictures that are faces.
        missing: Pictures of the sample without squares, by reason.
    """

    chunks: tuple[str, ...]
    chunk_N: np.ndarray
    row_N: np.ndarray
    picture_N: np.ndarray
    faces: int
    missing: Mapping[str, int]


def decode_pieces(
    job: Job, executor: Executor, archive_id: str, sample: Sample, squares: Squares
) -> Pieces:
    """Return the squares of a sample's pictures, after decoding those that are not kept yet.

    A picture that is gone, was changed or cannot be decoded is counted, and left out.

    Raises:
        UsageError: The store does not know where the archive lies, or no picture is left.
        ArchiveError: The archive cannot be read.
    """
    archive, _ = stored_scan(job, archive_id)
    policy = pixel_policy(job.config)
    with_faces = bool(squares.faces_of) and faces_installed()
    facts = [policy.pixels_id, squares.side_px, squares.slice_px, squares.max_slices]
    if with_faces:
        facts.append(detector_version())
    folder = f"pixels/study-{digest(facts)}"
    sources = [
        Source(content_id, uri, size, with_faces and label.lower() in squares.faces_of)
        for content_id, uri, size, label in zip(
            sample.content_ids, sample.uris, sample.sizes, sample.labels, strict=True
        )
    ]
    most = max(16, _CHUNK_BYTES // (3 * squares.side_px**2 * squares.max_slices))
    length = min(_CHUNK_IMAGES, most)
    work = [sources[start : start + length] for start in range(0, len(sources), length)]
    step = Step(
        "decode",
        DecodeSquares(
            job.store,
            archive.location,
            folder,
            policy,
            squares,
            job.config.images,
            fetch_settings(job.config),
        ),
    )
    found: dict[int, Chunk] = {}
    with job.timings.stage("decode", len(sources)):
        for number, chunk in executor.stream(
            enumerate(work), [step], stall_timeout_s=job.config.embed.stall_timeout_s
        ):
            found[number] = chunk
            job.progress.advance("decode", len(work[number]))
    return _numbered([found[number] for number in range(len(work))], sample)


def faces_installed() -> bool:
    """Tell whether pictures can be cropped to faces."""
    return find_spec(PACKAGE) is not None


def _numbered(chunks: Sequence[Chunk], sample: Sample) -> Pieces:
    place = {content_id: row for row, content_id in enumerate(sample.content_ids)}
    chunk_N, row_N, picture_N = [], [], []
    for number, chunk in enumerate(chunks):
        pictures = np.array([place[each] for each in chunk.content_ids], np.int64)
        picture_N.append(np.repeat(pictures, np.array(chunk.squares, np.int64)))
        chunk_N.append(np.full(len(picture_N[-1]), number, np.int64))
        row_N.append(np.arange(len(picture_N[-1]), dtype=np.int64))
    missing: Counter[str] = sum((Counter(each.missing) for each in chunks), Counter())
    if not sum(map(len, row_N)):
        raise UsageError(
            f"none of {len(sample.content_ids):,} pictures can be read any more: "
            + ", ".join(f"{count:,} {reason}" for reason, count in missing.items())
        )
    return Pieces(
        tuple(chunk.array for chunk in chunks),
        np.concatenate(chunk_N),
        np.concatenate(row_N),
        np.concatenate(picture_N),
        sum(chunk.faces for chunk in chunks),
        dict(missing),
    )


@dataclass(frozen=True)
class DecodeSquares:
    """Fetches and decodes pictures into chunks. Picklable; called once in each worker process."""

    store: Store
    archive: Location
    folder: str
    policy: PixelPolicy
    squares: Squares
    images: ImageSettings
    fetch: FetchSettings

    def __call__(self) -> Callable[[tuple[int, list[Source]]], tuple[int, Chunk]]:
        """Start the decoders and return the step: from numbered pictures to their chunk."""
        squares = self.squares
        cutter = DecodeSlices(squares.slice_px, squares.max_slices)
        column_px = (squares.max_slices * squares.side_px, squares.side_px)
        decoder = open_decoder(self.policy, column_px, self.images, cutter)
        fetcher = Fetcher(self.archive, self.fetch)
        faces = _Faces(self.policy, self.images, squares.side_px)

        def decode(item: tuple[int, list[Source]]) -> tuple[int, Chunk]:
            number, sources = item
            name = digest([[source.content_id, source.face] for source in sources])
            listed = f"{self.folder}/{name}.json"
            if self.store.exists(listed):
                known = json.loads(self.store.read_bytes(listed))
                return number, _chunk(self.folder, known)
            kept: list[str] = []
            arrays: list[np.ndarray] = []
            missing: Counter[str] = Counter()
            found_faces = 0
            for source, file in fetcher.fetch_many(sources):
                if file.outcome != "ok" or file.content_id != source.content_id:
                    missing["changed" if file.outcome == "ok" else file.outcome] += 1
                    continue
                face = faces.of(file.data) if source.face else None
                if face is not None:
                    found_faces += 1
                    arrays.append(face[None])
                else:
                    cut = _slices(decoder, file.data, squares)
                    if isinstance(cut, str):
                        missing[cut] += 1
                        continue
                    arrays.append(cut)
                kept.append(source.content_id)
            side = squares.side_px
            pixels = np.concatenate([np.empty((0, side, side, 3), np.uint8), *arrays])
            content = io.BytesIO()
            np.save(content, pixels)
            # Should the archive change between two attempts, their arrays have other names.
            array = f"{name}-{digest(kept)}.npy"
            self.store.write_bytes(f"{self.folder}/{array}", content.getvalue())
            facts = {
                "array": array,
                "content_ids": kept,
                "squares": [len(each) for each in arrays],
                "faces": found_faces,
                "missing": dict(missing),
            }
            self.store.write_bytes(listed, json.dumps(facts).encode())
            return number, _chunk(self.folder, facts)

        return decode


def _chunk(folder: str, facts: Mapping[str, object]) -> Chunk:
    content_ids, squares, missing = facts["content_ids"], facts["squares"], facts["missing"]
    assert isinstance(content_ids, list)
    assert isinstance(squares, list)
    assert isinstance(missing, dict)
    faces = facts["faces"]
    assert isinstance(faces, int)
    return Chunk(f"{folder}/{facts['array']}", tuple(content_ids), tuple(squares), faces, missing)


def _slices(decoder: Decoder, blob: bytes, squares: Squares) -> np.ndarray | str:
    """Return a picture's slices, or why there are none."""
    batch = decoder.decode([blob])
    info = batch.infos[0]
    if info.reject is not None:
        return info.reject.reason
    assert info.height is not None
    assert info.width is not None
    rows, columns = slice_grid((info.height, info.width), squares.slice_px, squares.max_slices)
    side = squares.side_px
    slices: np.ndarray = batch.pixels_NHWC[0][: rows * columns * side]
    return slices.reshape(-1, side, side, 3).copy()


class _Faces:
    """Crops pictures to their surest face; its decoder starts with the first."""

    def __init__(self, policy: PixelPolicy, images: ImageSettings, side_px: int) -> None:
        self._limits = FaceLimits()
        self._policy = policy
        self._images = images
        self._side_px = side_px
        self._decoder: Decoder | None = None

    def of(self, blob: bytes) -> np.ndarray | None:
        """Return the face of a picture; None where none is found, or it cannot be decoded."""
        box = (self._limits.longest_px, self._limits.longest_px)
        if self._decoder is None:
            self._decoder = open_decoder(self._policy, box, self._images, decode_thumbnail)
        batch = self._decoder.decode([blob])
        info = batch.infos[0]
        if info.reject is not None or info.height is None or info.width is None:
            return None
        height, width = inside((info.height, info.width), box)
        picture = batch.pixels_NHWC[0][:height, :width]
        found = find_faces(picture, detect_faces, self._limits)
        return crop_face(picture, found[0], self._side_px) if found else None
