"""Pictures that an archive holds more than once: the same bytes, or the same to the eye."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artcluster.archive.database import quoted
from artcluster.config import Config
from artcluster.errors import UsageError
from artcluster.metrics.near_duplicates import (
    ConnectedComponents,
    hamming,
    hash_groups,
    near_duplicates,
)
from artcluster.runtime.executor import Step
from artcluster.schema import PERCEPTUAL_HASHES
from artcluster.store.members import as_keys, positions
from artcluster.store.vectors import gather
from artcluster.workflows.archives import choose_archive, choose_embedder, contents_of, open_tables
from artcluster.workflows.embedding.pictures import Pictures
from artcluster.workflows.job import Job

_BOX_PX = 128
_A_BATCH = 64
_A_COMMIT = 8_192
_WORTH_A_CLUSTER = 5_000


_LACKING = """
select content_id, min(uri) from current_images anti join perceptual_hashes using (content_id)
where archive_id = {archive_id} and status = 'ok' group by content_id order by min(path)
"""


Unhashed = tuple[str, str]
"""content_id and URI."""


@dataclass(frozen=True)
class HashPictures:
    """Makes the step from batches of pictures to their hashes. Picklable."""

    config: Config

    def __call__(self) -> Callable[[Sequence[Unhashed]], list[tuple[str, str | None]]]:
        """Start a decoder and return the step; the hash of a picture it cannot read is None."""
        import imagehash

        pictures = Pictures(self.config, _BOX_PX)

        def hashes(batch: Sequence[Unhashed]) -> list[tuple[str, str | None]]:
            contents = [each for each, _ in batch]
            found = pictures.many([uri for _, uri in batch], contents)
            return [
                (each, str(imagehash.phash(picture.image)) if picture.image else None)
                for each, picture in zip(contents, found, strict=True)
            ]

        return hashes


def hash_pictures(job: Job, archive_id: str) -> int:
    """Hash the contents of an archive that have none yet; return how many could not be read.

    Raises:
        LeaseHeldError: Another job hashes.
    """
    with ExitStack() as stack:
        lease = stack.enter_context(job.lease("perceptual_hashes", PERCEPTUAL_HASHES))
        tables = stack.enter_context(
            open_tables(job.store, job.config, "current_images", "perceptual_hashes")
        )
        lacking = _LACKING.format(archive_id=quoted(archive_id))
        ((count,),) = tables.execute(f"select count(*) from ({lacking})").fetchall()
        if not count:
            return 0
        executor = job.executor if count >= _WORTH_A_CLUSTER else job.local
        unread = 0
        done: list[tuple[str, str]] = []

        def commit() -> None:
            ids, hashes = zip(*done, strict=True)
            lease.check()
            rows = pa.table([pa.array(ids), pa.array(hashes)], PERCEPTUAL_HASHES.schema.names)
            job.store.append(PERCEPTUAL_HASHES, rows, lease.fence)
            done.clear()

        with job.timings.stage("hash", count):
            found = tables.execute(lacking)
            for hashed in executor.stream(
                iter(lambda: found.fetchmany(_A_BATCH), []),
                [Step("hash", HashPictures(job.config))],
                stall_timeout_s=job.config.embed.stall_timeout_s,
            ):
                done += [(content_id, text) for content_id, text in hashed if text is not None]
                unread += sum(text is None for _, text in hashed)
                job.progress.advance("hash", len(hashed))
                if len(done) >= _A_COMMIT:
                    commit()
            if done:
                commit()
        return unread


def read_hashes(job: Job, contents: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return the contents' hashes, uint64, and which of them have one."""
    hash_N, known_N = np.zeros(len(contents), np.uint64), np.zeros(len(contents), bool)
    for batch in job.store.table(PERCEPTUAL_HASHES).batches(["content_id", "phash"]):
        place = pc.index_in(batch.column("content_id"), value_set=contents)
        mine = place.is_valid().to_numpy(zero_copy_only=False)
        rows = place.drop_null().to_numpy()
        texts = batch.column("phash").filter(pa.array(mine)).to_pylist()
        hash_N[rows] = [int(text, 16) for text in texts]
        known_N[rows] = True
    return hash_N, known_N


@dataclass(frozen=True)
class Copy:
    """One path of a group.

    Attributes:
        path: In the archive.
        uri: Where it lies.
        content_id: The same for the same bytes.
        width: Pixels.
        height: Pixels.
        distance: Cosine distance from the group's first picture; None where not compared.
        hash_bits: Bits in which the hashes differ from its; None where not compared.
    """

    path: str
    uri: str
    content_id: str
    width: int | None
    height: int | None
    distance: float | None
    hash_bits: int | None


@dataclass(frozen=True)
class Group:
    """Paths that hold one picture; the largest picture first.

    Attributes:
        kind: `exact`, the same bytes, or `near`.
        copies: Two or more.
    """

    kind: str
    copies: tuple[Copy, ...]


@dataclass(frozen=True)
class Duplicates:
    """What was found.

    Attributes:
        images: Its usable images.
        contents: Their distinct contents.
        by: What near-duplicates were found by.
        unread: Pictures that could not be read to hash them.
        groups: The largest first.
    """

    archive_id: str
    images: int
    contents: int
    by: str
    unread: int
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class _Compared:
    """Contents, sorted, with what they are compared by: vectors or hashes may be lacking."""

    contents: pa.Array
    x_MD: np.ndarray | None
    """Vectors of those contents that `row_N` says."""
    row_N: np.ndarray
    """Row of each content in the vectors, −1 for none."""
    hash_N: np.ndarray
    hashed_N: np.ndarray

    def vectors(self, rows: np.ndarray) -> np.ndarray:
        assert self.x_MD is not None
        chosen: np.ndarray = self.x_MD[self.row_N[rows]]
        return chosen


def find_duplicates(job: Job, archive_id: str | None, embedder: str | None) -> Duplicates:
    """Find the pictures that an archive holds more than once.

    Hashes that are computed are kept in the store; nothing else is written.

    Args:
        archive_id: Which archive; None for the only one.
        embedder: Whose vectors, by name or id; None for the only one.

    Raises:
        UsageError: The choice is not clear, or the vectors take more memory than is allowed.
    """
    settings = job.config.duplicates
    archive_id = choose_archive(job.store, archive_id)
    contents = contents_of(job.store, archive_id, job.config)
    count = len(contents)
    unread = 0
    hash_N, hashed_N = np.zeros(count, np.uint64), np.zeros(count, bool)
    if settings.by != "embedding":
        unread = hash_pictures(job, archive_id)
        hash_N, hashed_N = read_hashes(job, contents)
    candidates = [np.arange(count)]
    if settings.by != "embedding":
        with job.timings.stage("compare hashes"):
            hashed = np.flatnonzero(hashed_N)
            groups = hash_groups(hash_N[hashed], settings.max_hash_bits)
            candidates = [hashed[rows] for rows in groups]
    x_MD, row_N = None, np.full(count, -1)
    if settings.by != "hash" and candidates:
        wanted = contents.take(pa.array(np.sort(np.concatenate(candidates))))
        embedder_id = choose_embedder(job.store, embedder, whole=True)
        x_MD, row_N = _vectors(job, embedder_id, contents, wanted)
    compared = _Compared(contents, x_MD, row_N, hash_N, hashed_N)
    with job.timings.stage("compare vectors"):
        near = candidates if settings.by == "hash" else list(_divided(compared, candidates, job))
    return _described(job, archive_id, compared, near, unread)


def _vectors(
    job: Job, embedder_id: str, contents: pa.Array, wanted: pa.Array
) -> tuple[np.ndarray, np.ndarray]:
    limit_bytes = job.config.duplicates.max_bytes
    try:
        ids, x_MD = gather(job.store, embedder_id, wanted, limit_bytes=limit_bytes)
    except UsageError as too_many:
        raise UsageError(
            f"{too_many} Raise duplicates.max_bytes, or compare hashes first (--by both) or alone "
            "(--by hash)."
        ) from None
    place, hit = positions(as_keys(contents), as_keys(ids))
    row_N = np.full(len(contents), -1)
    row_N[place[hit]] = np.flatnonzero(hit)
    return x_MD, row_N


def _divided(
    compared: _Compared, candidates: Sequence[np.ndarray], job: Job
) -> Iterator[np.ndarray]:
    """Divide groups of contents where their vectors are not near."""
    for rows in candidates:
        rows = rows[compared.row_N[rows] >= 0]
        if len(rows) > 1:
            groups = near_duplicates(compared.vectors(rows), job.config.duplicates.max_distance)
            yield from (rows[group] for group in groups)


def _described(
    job: Job, archive_id: str, compared: _Compared, near: Sequence[np.ndarray], unread: int
) -> Duplicates:
    """Put the groups into words: their paths, and how far each is from the first."""
    mine = f"archive_id = {quoted(archive_id)} and status = 'ok'"
    found = ConnectedComponents(len(compared.contents))
    for rows in near:
        found.join(rows[1:], np.full(len(rows) - 1, rows[0]))
    groups = found.groups()
    group_of = {
        compared.contents[int(row)].as_py(): number
        for number, rows in enumerate(groups)
        for row in rows
    }
    with open_tables(job.store, job.config, "current_images") as tables:
        ((images,),) = tables.sql(f"select count(*) from current_images where {mine}").fetchall()
        wanted = pa.table({"content_id": pa.array(list(group_of), pa.string())})
        tables.register("wanted", wanted)
        paths = tables.sql(
            "select path, uri, content_id, width, height from current_images "
            f"where {mine} and (content_id in (select content_id from wanted) or content_id in "
            f"(select content_id from current_images where {mine} group by 1 having count(*) > 1))"
            " order by width * height desc nulls last, path"
        ).to_arrow_table()
    by_group: dict[Any, list[dict[str, Any]]] = {}
    for row in paths.to_pylist():
        key = group_of.get(row["content_id"], row["content_id"])
        by_group.setdefault(key, []).append(row)
    described = [_group(compared, rows) for rows in by_group.values()]
    described.sort(key=lambda group: (-len(group.copies), group.copies[0].path))
    return Duplicates(
        archive_id=archive_id,
        images=images,
        contents=len(compared.contents),
        by=job.config.duplicates.by,
        unread=unread,
        groups=tuple(described),
    )


def _group(compared: _Compared, rows: Sequence[dict[str, Any]]) -> Group:
    ids = [row["content_id"] for row in rows]
    place, _ = positions(as_keys(compared.contents), as_keys(ids))
    copies = tuple(
        Copy(
            **row,
            distance=_distance(compared, place[0], place[number]),
            hash_bits=_bits(compared, place[0], place[number]),
        )
        for number, row in enumerate(rows)
    )
    return Group("exact" if len(set(ids)) == 1 else "near", copies)


def _distance(compared: _Compared, first: int, other: int) -> float | None:
    if first == other:
        return 0.0
    if compared.x_MD is None or compared.row_N[first] < 0 or compared.row_N[other] < 0:
        return None
    a, b = compared.vectors(np.array([first, other])).astype(np.float64)
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return max(0.0, round(float(1 - a @ b / norms), 6)) if norms else None


def _bits(compared: _Compared, first: int, other: int) -> int | None:
    if first == other:
        return 0
    if not (compared.hashed_N[first] and compared.hashed_N[other]):
        return None
    pair = compared.hash_N[[first, other]]
    return int(hamming(pair[:1], pair[1:])[0])
