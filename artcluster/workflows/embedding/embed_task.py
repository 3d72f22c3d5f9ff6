"""The second step of embedding: a part's pixels to a shard of vectors, and its facts to another."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artcluster.config import EmbedSettings
from artcluster.embedders import Embedder
from artcluster.schema import EMBEDDINGS, IMAGES, REGIONS, Table
from artcluster.store import ShardInfo, Store
from artcluster.workflows.embedding.decode_task import DecodedPart
from artcluster.workflows.embedding.decoding import Decoded
from artcluster.workflows.embedding.embedder import ReadyEmbedder, load_embedder
from artcluster.workflows.embedding.recovery import keys_of, sorted_members
from artcluster.workflows.job import fingerprint


@dataclass(frozen=True)
class EmbeddedPart:
    """A finished part: what to commit, and what it took.

    Attributes:
        part_id: Its name.
        vectors: Its shard of the `embeddings` table; None where it held nothing new.
        regions: Its shard of the `regions` table; None where no parts were looked for.
        images: Its shard of the `images` table.
        embedded: Contents that the embedder was called for.
        counts: Paths by status.
        rejects: Rejected paths by reason.
        size_bytes: Bytes read.
        seconds: Seconds by step.
        engine: What computed the vectors.
    """

    part_id: str
    vectors: ShardInfo | None
    regions: ShardInfo | None
    images: ShardInfo
    embedded: int
    counts: Mapping[str, int]
    rejects: Mapping[str, int]
    size_bytes: int
    seconds: Mapping[str, float]
    engine: Mapping[str, str]


@dataclass(frozen=True)
class EmbedPart:
    """Embeds parts and writes their shards. Picklable; called once in each worker process."""

    store: Store
    embedder: ReadyEmbedder
    settings: EmbedSettings
    device: str
    threads: int

    def __call__(self) -> Callable[[DecodedPart], EmbeddedPart]:
        """Load the embedder and return the step."""
        embedder = load_embedder(
            self.store, self.embedder, self.settings, self.device, self.threads
        )

        def embed(part: DecodedPart) -> EmbeddedPart:
            return self._embed(part, embedder)

        return embed

    def _embed(self, part: DecodedPart, embedder: Embedder) -> EmbeddedPart:
        began = time.perf_counter()
        vectors = regions = None
        decoded = part.decoded
        if decoded.content_ids:
            found = embedder(decoded.pixels_NHWC)
            embed_s = time.perf_counter() - began
            began = time.perf_counter()
            vectors = write_vectors(
                self.store,
                self.embedder.embedder_id,
                part.part_id,
                decoded.content_ids,
                found,
                decoded.regions,
            )
        else:
            embed_s = 0.0
        looked_at = decoded.looked_at
        if looked_at is not None and looked_at.num_rows:
            # After the vectors: it marks its contents as done.
            partition = {"embedder_id": self.embedder.embedder_id}
            regions = _write_part(self.store, REGIONS, part.part_id, looked_at, partition)
        # Written last: whoever finds it knows that the part's vectors are there.
        images = self.store.shard_writer(IMAGES).write(part.part_id, part.images, {})
        return EmbeddedPart(
            part_id=part.part_id,
            vectors=vectors,
            regions=regions,
            images=images,
            embedded=_pictures(decoded),
            counts=_counted(part.images["status"]),
            rejects=_counted(part.images.filter(pc.field("status") != "ok")["reason"].drop_null()),
            size_bytes=part.size_bytes,
            seconds={
                "fetch": part.fetch_s,
                "decode": part.decode_s,
                "embed": embed_s,
                "write": time.perf_counter() - began,
            },
            engine=dict(embedder.engine),
        )


def write_vectors(
    store: Store,
    embedder_id: str,
    part_id: str,
    content_ids: list[str],
    vectors: np.ndarray,
    regions: list[str] | None = None,
) -> ShardInfo:
    """Write a part's vectors, unless an attempt before this one has.

    Args:
        part_id: Names the shard.
        content_ids: Of each vector.
        vectors: float32 (N, dim).
        regions: Which part of its content each vector is of; None for whole pictures.
    """
    partition = {"embedder_id": embedder_id}
    rows = pa.table(
        {
            "content_id": pa.array(content_ids, pa.string()),
            "region": pa.array(regions or [""] * len(content_ids), pa.string()),
            "embedding": _as_lists(vectors),
        }
    )
    return _write_part(store, EMBEDDINGS, part_id, rows, partition)


def _write_part(
    store: Store, table: Table, part_id: str, rows: pa.Table, partition: dict[str, str]
) -> ShardInfo:
    """Write a part's rows of a table, or adopt those that an attempt before this one wrote.

    A process thought dead may have written this part's shard with other rows, because the
    registry it asked divided doubles among parts otherwise. Its shard is then left to lie.
    """
    shard = store.shard_writer(table).write(part_id, rows, partition)
    if not shard.adopted:
        return shard
    members = sorted_members(rows)
    if keys_of(store, table, shard) == members:
        return shard
    return store.shard_writer(table).write(f"{part_id}-{fingerprint(members)}", rows, partition)


def _pictures(decoded: Decoded) -> int:
    """Return how many contents the embedder was called for, or that parts were looked for in."""
    if decoded.looked_at is None:
        return len(decoded.content_ids)
    return int(pc.sum(pc.equal(decoded.looked_at["region"], "")).as_py() or 0)


def _counted(values: pa.ChunkedArray) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(values).to_pylist()}


def _as_lists(vectors_ND: np.ndarray) -> pa.ListArray:
    n, dim = vectors_ND.shape
    offsets = pa.array(np.arange(n + 1, dtype=np.int32) * dim)
    values = pa.array(np.ascontiguousarray(vectors_ND, dtype=np.float32).reshape(-1))
    return pa.ListArray.from_arrays(offsets, values)
