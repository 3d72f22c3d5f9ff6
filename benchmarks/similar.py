"""Similar pictures among 1 million vectors of 1024 numbers: recall@10, and milliseconds a query.

Work: vectors around 2,000 centres, each cluster a flat disc of 16 directions with some noise in
all, are written into a store as `artcluster embed` writes them, with a row of `images` each.
Building the index, searching it one query at a time, and answering whole questions (the picture's
vector found in the store, its neighbours found, their paths, clusters and names joined) are timed.
The queries are 200 new vectors around the same centres, none of which is in the store. Peer:
FAISS's exact flat index in memory, whose answer is the truth that recall is measured by; and the
store's own vectors compared one by one from their files. The aim is under 100 ms a query at
recall@10 ≥ 0.95.

Every step runs in a process of its own, which reports its peak resident memory (pages of mapped
files that the system keeps are counted in it).
"""

import argparse
import hashlib
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

COUNT = 1_000_000
DIM = 1024
CENTRES, DIRECTIONS = 2_000, 16
QUERIES, TOP = 200, 10
BLOCK = 50_000
EMBEDDER = "benchmark-0000"
RESULT = Path(__file__).parent / "results" / "similar.json"
REPOSITORY = Path(__file__).parents[1]


def vectors(count: int, seed: int) -> Iterator[np.ndarray]:
    shape = np.random.default_rng(0)
    centres = shape.standard_normal((CENTRES, DIM), np.float32)
    discs = 0.2 * shape.standard_normal((CENTRES, DIRECTIONS, DIM), np.float32)
    draw = np.random.default_rng(seed)
    for start in range(0, count, BLOCK):
        rows = min(BLOCK, count - start)
        x = 0.1 * draw.standard_normal((rows, DIM), np.float32)
        cluster = np.sort(draw.integers(0, CENTRES, rows))
        within = draw.standard_normal((rows, DIRECTIONS), np.float32)
        for number in np.unique(cluster):
            mine = cluster == number
            x[mine] += centres[number] + within[mine] @ discs[number]
        yield x[draw.permutation(rows)]


def write(work: Path, count: int) -> dict[str, float]:
    import pyarrow as pa

    from artcluster.schema import EMBEDDINGS, IMAGES
    from artcluster.store import Store
    from artcluster.workflows.embedding.embed_task import _as_lists

    store = Store.open(work / "store", create=True)
    start = time.perf_counter()
    now = datetime.now(UTC)
    done = 0
    for x in vectors(count, seed=1):
        ids = [hashlib.sha256(str(done + row).encode()).hexdigest() for row in range(len(x))]
        regions = [""] * len(ids)
        embedders = [EMBEDDER] * len(ids)
        columns = [embedders, ids, regions, _as_lists(x)]
        store.append(EMBEDDINGS, pa.table(columns, names=EMBEDDINGS.schema.names))
        known = {
            "archive_id": ["bench"] * len(ids),
            "path": [
                f"box-{(done + row) // 1000:04d}/{each[:12]}.jpg" for row, each in enumerate(ids)
            ],
            "content_id": ids,
            "scan_id": [1] * len(ids),
            "status": ["ok"] * len(ids),
            "seen_at": [now] * len(ids),
        }
        columns = [known.get(each.name, [None] * len(ids)) for each in IMAGES.schema]
        store.append(IMAGES, pa.table(columns, schema=IMAGES.schema))
        done += len(x)
    return {"seconds": time.perf_counter() - start}


def _neighbours(work: Path, exact_below: int):
    from artcluster.config import SearchSettings
    from artcluster.store import Store
    from artcluster.workflows.searching.neighbours import Neighbours, Watcher

    settings = SearchSettings(exact_below=exact_below)
    watcher = Watcher(lambda line: print(line, file=sys.stderr))
    store = Store.open(work / "store")
    return store, Neighbours(store, EMBEDDER, settings, work / "cache", watcher)


def build(work: Path, _count: int) -> dict[str, float]:
    _, neighbours = _neighbours(work, 0)
    start = time.perf_counter()
    neighbours.refresh()
    seconds = time.perf_counter() - start
    facts = neighbours.index_facts
    size = sum(
        file.stat().st_size for file in (work / "store/indexes").rglob("*") if file.is_file()
    )
    return {
        "seconds": seconds,
        "lists": facts.lists,
        "probes": facts.probes,
        "recall_stored": facts.recall,
        "size_mb": size / 1e6,
    }


def index(work: Path, _count: int) -> dict[str, float]:
    _, neighbours = _neighbours(work, 0)
    start = time.perf_counter()
    neighbours.refresh()
    opening = time.perf_counter() - start
    queries = next(vectors(QUERIES, seed=2))
    neighbours.nearest(queries[:5], TOP)
    spent, found = [], []
    for query in queries:
        start = time.perf_counter()
        found.append(neighbours.nearest(query[None], TOP).keys_QK[0])
        spent.append(1000 * (time.perf_counter() - start))
    truth = np.load(work / "truth.npy")
    hits = [len(set(mine) & set(right)) / TOP for mine, right in zip(found, truth, strict=True)]
    return {"open_s": opening, "recall": float(np.mean(hits)), **_percentiles(spent)}


def flat(work: Path, _count: int) -> dict[str, float]:
    import faiss

    from artcluster.store import Store
    from artcluster.store.vectors import read_vectors

    store = Store.open(work / "store")
    exact, ids = faiss.IndexFlatIP(DIM), []
    start = time.perf_counter()
    for some, x in read_vectors(store, EMBEDDER):
        x = np.array(x)
        faiss.normalize_L2(x)
        exact.add(x)
        ids += some
    seconds = time.perf_counter() - start
    queries = next(vectors(QUERIES, seed=2))
    faiss.normalize_L2(queries)
    keys = np.array(ids, "S64")
    spent, found = [], []
    for query in queries:
        start = time.perf_counter()
        found.append(keys[exact.search(query[None], TOP)[1][0]])
        spent.append(1000 * (time.perf_counter() - start))
    np.save(work / "truth.npy", np.stack(found))
    return {"seconds": seconds, "recall": 1.0, **_percentiles(spent)}


def one_by_one(work: Path, count: int) -> dict[str, float]:
    _, neighbours = _neighbours(work, 10 * count)
    shutil.move(work / "store/indexes", work / "indexes-aside")
    try:
        neighbours.refresh()
        queries = next(vectors(QUERIES, seed=2))
        start = time.perf_counter()
        found = neighbours.nearest(queries[:16], TOP).keys_QK
        spent = 1000 * (time.perf_counter() - start)
    finally:
        shutil.move(work / "indexes-aside", work / "store/indexes")
    truth = np.load(work / "truth.npy")[:16]
    hits = [len(set(mine) & set(right)) / TOP for mine, right in zip(found, truth, strict=True)]
    return {"recall": float(np.mean(hits)), "all_16_ms": spent}


def answer(work: Path, count: int) -> dict[str, float]:
    from artcluster.config import Config
    from artcluster.workflows.searching.similar import SimilarPictures

    store, neighbours = _neighbours(work, 0)
    neighbours.refresh()
    similar = SimilarPictures(store, neighbours, Config(), 2)
    spent = []
    for number in range(0, count, count // 12):
        name = hashlib.sha256(str(number).encode()).hexdigest()
        start = time.perf_counter()
        found = similar.ask_inside(name, TOP)
        spent.append(1000 * (time.perf_counter() - start))
        assert found is not None
        assert len(found.matches) == TOP
    return _percentiles(spent)


def _percentiles(spent_ms: list[float]) -> dict[str, float]:
    return {
        "median_ms": float(np.median(spent_ms)),
        "p95_ms": float(np.percentile(spent_ms, 95)),
    }


STEPS = {
    "write the store": write,
    "exact: FAISS flat, in memory": flat,
    "build the index": build,
    "index": index,
    "exact: from the store's files": one_by_one,
    "whole answers": answer,
}


def in_own_process(step: str, work: Path, count: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--step", step, "--work", str(work), "--count", str(count)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{step:32}" + "  ".join(f"{name} {value:,.3g}" for name, value in found.items()),
        flush=True,
    )
    return found


def main(count: int) -> None:
    work = Path(tempfile.mkdtemp(prefix="similar-"))
    try:
        steps = {step: in_own_process(step, work, count) for step in STEPS}
    finally:
        shutil.rmtree(work)
    machine = {
        "cpus": os.cpu_count(),
        "processor": platform.machine(),
        "system": platform.system(),
        "load_at_end": os.getloadavg()[0],
    }
    aim = {"query_ms": 100, "recall": 0.95}
    found = {"work": __doc__, "vectors": count, "dim": DIM, "machine": machine, "aim": aim}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(found | {"steps": steps}, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step", choices=STEPS)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--count", type=int, default=COUNT)
    given = parser.parse_args()
    if given.step is None:
        main(given.count)
    else:
        measured = STEPS[given.step](given.work, given.count)
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(measured | {"peak_mb": peak_mb}))
