"""Synthetic archives of any size: their listing, their tables, the files of a first job."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from artcluster.schema import EMBEDDERS, EMBEDDINGS, IMAGES
from artcluster.store import Store, shard_name

EMBEDDER = "benchmark-0000"
CENTRES = 100
PART, COMMIT_EVERY = 256, 10_000
_DIM, _FILE_ROWS = 32, 100_000


def names(start: int, stop: int) -> list[str]:
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in range(start, stop)]


def _batches(count: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, _FILE_ROWS):
        yield start, min(start + _FILE_ROWS, count)


def make_tables(work: Path, images: int) -> None:
    """Write a scan of N paths, and the known images and contents, as the store has them."""
    scan = work / "store" / "scans" / "bench" / "00000002"
    scan.mkdir(parents=True)
    known = work / "known"
    known.mkdir()
    connection = duckdb.connect(config={"memory_limit": "4GB", "temp_directory": str(work)})
    path = (
        "'collection-' || lpad((i // 100000)::varchar, 3, '0') || '/box-' "
        "|| lpad((i // 1000)::varchar, 5, '0') || '/object-' || lpad(i::varchar, 8, '0') || '.jpg'"
    )
    for number, start in enumerate(range(0, images, 1_000_000)):
        span = f"range({start}, {min(start + 1_000_000, images)})"
        connection.execute(
            f"copy (select i as row, {path} as path, '/archive/' || {path} as uri, "
            "100000 + i % 50000 as size_bytes, "
            "(1700000000 + i + (i % 1000 = 7)::int)::varchar as version "
            f"from {span} t(i)) to '{scan}/listing-{number:05d}.parquet' (compression zstd)"
        )
        connection.execute(
            f"copy (select 'bench' archive_id, {path} as path, '/archive/' || {path} as uri, "
            "1::bigint scan_id, 100000 + i % 50000 as size_bytes, "
            "(1700000000 + i)::varchar as version, sha256(i::varchar) content_id, "
            "1::int width, 1::int height, 'JPEG' format, 'ok' status, null::varchar stage, "
            "null::varchar reason, null::varchar detail, 'p' pixel_policy, now() seen_at "
            f"from {span} t(i) where i % 1000 <> 3) "
            f"to '{known}/images-{number:05d}.parquet' (compression zstd)"
        )
        connection.execute(
            "copy (select 'e' embedder_id, sha256(i::varchar) content_id, '' region "
            f"from {span} t(i) where i % 1000 <> 3) "
            f"to '{known}/embedded-{number:05d}.parquet' (compression zstd)"
        )
    files = sorted(f"scans/bench/00000002/{file.name}" for file in scan.glob("*.parquet"))
    described = {
        "archive_id": "bench",
        "scan_id": 2,
        "uri": "/archive",
        "files": files,
        "images": images,
        "size_bytes": images * 125_000,
        "skipped": {},
        "unreachable": [],
        "started_at": "2026-01-01T00:00:00+00:00",
        "finished_at": "2026-01-01T01:00:00+00:00",
    }
    (scan / "started").touch()
    (scan / "scan.json").write_text(json.dumps(described))


def make_store(work: Path, count: int) -> None:
    """Write images and their vectors, as `artcluster embed` leaves them, in large files."""
    store = Store.open(work / "store", create=True)
    draw = np.random.default_rng(0)
    centres_KD = draw.standard_normal((CENTRES, _DIM), np.float32)
    now = datetime.now(UTC)
    row = {"embedder_id": EMBEDDER, "name": "benchmark", "dim": _DIM, "created_at": now}
    known = {name: row.get(name, "{}") for name in EMBEDDERS.schema.names}
    store.append(EMBEDDERS, pa.Table.from_pylist([known], EMBEDDERS.schema))
    for start, stop in _batches(count):
        rows = stop - start
        ids = names(start, stop)
        x_ND = centres_KD[draw.integers(0, CENTRES, rows)]
        x_ND = x_ND + 0.3 * draw.standard_normal((rows, _DIM), np.float32)
        offsets = pa.array(np.arange(0, (rows + 1) * _DIM, _DIM, dtype=np.int32))
        vectors = pa.ListArray.from_arrays(offsets, pa.array(x_ND.ravel()))
        columns = [[EMBEDDER] * rows, ids, [""] * rows, vectors]
        store.append(EMBEDDINGS, pa.table(columns, names=EMBEDDINGS.schema.names))
        images = {
            "archive_id": ["bench"] * rows,
            "path": [f"box-{n // 1000:05d}/object-{n:08d}.jpg" for n in range(start, stop)],
            "uri": [f"/archive/box-{n // 1000:05d}/object-{n:08d}.jpg" for n in range(start, stop)],
            "content_id": ids,
            "scan_id": [1] * rows,
            "status": ["ok"] * rows,
            "seen_at": [now] * rows,
        }
        table = [images.get(each.name, [None] * rows) for each in IMAGES.schema]
        store.append(IMAGES, pa.table(table, schema=IMAGES.schema))


def make_parts(work: Path, count: int) -> None:
    """Write vectors in the small files of a first job."""
    store = Store.open(work / "parts", create=True)
    writer = store.shard_writer(EMBEDDINGS)
    partition = {"embedder_id": EMBEDDER}
    x_ND = np.random.default_rng(0).standard_normal((PART, _DIM), np.float32)
    with store.lease("bench", [EMBEDDINGS]) as lease:
        for first in range(0, count, COMMIT_EVERY):
            shards = []
            for start in range(first, min(first + COMMIT_EVERY, count), PART):
                rows = min(PART, count - start)
                offsets = pa.array(np.arange(0, (rows + 1) * _DIM, _DIM, dtype=np.int32))
                columns = {
                    "content_id": names(start, start + rows),
                    "region": [""] * rows,
                    "embedding": pa.ListArray.from_arrays(offsets, pa.array(x_ND[:rows].ravel())),
                }
                shards.append(writer.write(shard_name(str(start)), pa.table(columns), partition))
            store.commit_shards(EMBEDDINGS, shards, lease.fence)
