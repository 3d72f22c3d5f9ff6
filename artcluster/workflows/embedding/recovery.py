"""What a job that ended early wrote and did not commit, or committed by half."""

from collections.abc import Iterable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from artcluster.archive.database import quoted
from artcluster.config import Config
from artcluster.embedders import finds_faces
from artcluster.schema import EMBEDDINGS, IMAGES, REGIONS, Table
from artcluster.store import ShardInfo, Store
from artcluster.store.members import as_keys, positions, sorted_keys
from artcluster.workflows.archives import open_tables

Member: TypeAlias = tuple[str, str]
"""content_id and region."""


_SHARDS_AT_ONCE = 8
_KEYS = ["content_id", "region"]


@dataclass(frozen=True)
class Leftovers:
    """Shards that belong in the store as they are.

    A process thought dead may have written a shard after its job's successor looked: what it
    holds may be embedded by now, under another name. Such a shard is left to lie, and so are
    vectors of faces without the boxes, and boxes without the vectors.

    Attributes:
        vectors: Shards of `embeddings`.
        regions: Shards of `regions`.
        images: Shards of `images`.
    """

    vectors: list[ShardInfo]
    regions: list[ShardInfo]
    images: list[ShardInfo]

    def __bool__(self) -> bool:
        return bool(self.vectors or self.regions or self.images)


def find_uncommitted(store: Store, embedder_id: str, part_ids: Sequence[str]) -> Leftovers:
    """Find what of some parts was written and not committed, and may be.

    Args:
        store: The store; the embedder's vectors are leased.
        embedder_id: The embedder of the parts.
        part_ids: Parts that are not finished.
    """
    partition = {"embedder_id": embedder_id}
    vectors = store.existing_shards(EMBEDDINGS, partition, part_ids)
    images = list(store.existing_shards(IMAGES, {}, part_ids).values())
    if not finds_faces(embedder_id):
        return Leftovers(_whole(store, embedder_id, vectors), [], images)
    regions = store.existing_shards(REGIONS, partition, part_ids)
    return Leftovers(*_pairs(store, embedder_id, vectors, regions), images)


def half_committed(store: Store, embedder_id: str, config: Config) -> dict[str, frozenset[str]]:
    """Return the faces that have vectors while their pictures do not count as looked at.

    A job ended between the two commits, and what it left of the second cannot be adopted. What
    looks at these pictures again is to add their boxes, and no second vector.

    Returns:
        Regions by content_id; empty for embedders of whole pictures.
    """
    if not finds_faces(embedder_id):
        return {}
    mine = f"embedder_id = {quoted(embedder_id)}"
    with open_tables(store, config, "embeddings", "regions") as tables:
        rows = tables.sql(
            f"select content_id, list(distinct region) from embeddings where {mine} and "
            f"content_id not in (select content_id from regions where {mine}) group by content_id"
        ).fetchall()
    return {content_id: frozenset(regions) for content_id, regions in rows}


def keys_of(store: Store, table: Table, shard: ShardInfo) -> list[Member]:
    """Return content and region of a shard's rows, sorted; committed or not."""
    return sorted_members(store.read_shard(table, shard, _KEYS))


def sorted_members(rows: pa.Table) -> list[Member]:
    """Return content and region of some rows, sorted."""
    return sorted(zip(*(rows[key].to_pylist() for key in _KEYS), strict=True))


def _whole(store: Store, embedder_id: str, vectors: Mapping[str, ShardInfo]) -> list[ShardInfo]:
    """Return the shards of vectors that hold nothing which has a vector."""
    held = _read(store, EMBEDDINGS, vectors)
    taken = _contents(_committed(store, EMBEDDINGS, embedder_id, held.values()))
    chosen = []
    for name, members in held.items():
        contents = _contents(members)
        if not contents & taken:
            taken |= contents
            chosen.append(vectors[name])
    return chosen


def _pairs(
    store: Store,
    embedder_id: str,
    vectors: Mapping[str, ShardInfo],
    regions: Mapping[str, ShardInfo],
) -> tuple[list[ShardInfo], list[ShardInfo]]:
    """Return shards of vectors and of boxes that agree, with each other or with the store."""
    vectors_of = _read(store, EMBEDDINGS, vectors)
    looked_at = _read(store, REGIONS, regions)
    taken = _contents(_committed(store, REGIONS, embedder_id, looked_at.values()))
    embedded = _committed(store, EMBEDDINGS, embedder_id, looked_at.values())
    chosen: tuple[list[ShardInfo], list[ShardInfo]] = ([], [])
    for name, members in looked_at.items():
        contents = _contents(members)
        faces = {member for member in members if member[1]}
        there = {member for member in embedded if member[0] in contents}
        if contents & taken or there not in (set(), faces):
            continue
        if faces and not there:
            if set(vectors_of.get(name, ())) != faces:
                continue
            chosen[0].append(vectors[name])
        taken |= contents
        chosen[1].append(regions[name])
    return chosen


def _contents(members: Iterable[Member]) -> set[str]:
    return {content_id for content_id, _ in members}


def _read(store: Store, table: Table, shards: Mapping[str, ShardInfo]) -> dict[str, list[Member]]:
    with ThreadPoolExecutor(_SHARDS_AT_ONCE) as pool:
        found = pool.map(lambda shard: keys_of(store, table, shard), shards.values())
        return dict(zip(shards, found, strict=True))


def _committed(
    store: Store, table: Table, embedder_id: str, shards: Iterable[Sequence[Member]]
) -> set[Member]:
    """Return the rows of a table that are of the contents of some shards."""
    contents: Set[str] = {content_id for shard in shards for content_id, _ in shard}
    if not contents:
        return set()
    wanted = sorted_keys(list(contents))
    found: set[Member] = set()
    for batch in store.table(table).batches(_KEYS, pc.field("embedder_id") == embedder_id):
        hit = positions(wanted, as_keys(batch.column(0)))[1]
        rows = batch.filter(pa.array(hit))
        found.update(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    return found
