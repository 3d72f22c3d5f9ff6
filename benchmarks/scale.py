"""How time and memory grow with the archive: 100,000, 1 million and 10 million images.

Synthetic tables, made as `artcluster embed` leaves them (rows of `images`, vectors of 32 numbers
around 100 centres, 100,000 a file). Each step runs in a process of its own, which reports seconds
and its peak resident memory (pages of mapped files that the system keeps are counted in it):

- plan: a listing against an empty store, and the plan of parts: everything is to do. The listing
  is synthetic; listing real files is measured by scan_plan.py, a later night by update.py.
- registry: which content is embedded already, built from the committed rows, then asked by 100
  parts of 256 images.
- commit: the log of a job that commits every 10,000 images in parts of 256. The files are not
  written, only their entries in the log. Seconds of all commits, milliseconds of the last ones.
- cluster: `artcluster cluster` by k-means, k = 100, fitted on a sample of 100,000: the contents
  found, the model fitted, every image assigned and read back, measured on the sample, committed.
- vacuum: what a store may drop, looked for without removing anything.
- merge: `artcluster vacuum --yes` on the vectors of a first job, in files of 256: the small files
  are found, read and merged.

The slopes between 1 and 10 million give the figures for 100 million on paper.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._synthetic import (
    CENTRES,
    COMMIT_EVERY,
    EMBEDDER,
    PART,
    make_parts,
    make_store,
    make_tables,
    names,
)

SIZES = (100_000, 1_000_000, 10_000_000)
SAMPLE = 100_000
RESULT = Path(__file__).parent / "results" / "scale.json"
PLOT = Path(__file__).parent / "results" / "scale.svg"
REPOSITORY = Path(__file__).parents[1]


def job(store: Any, **flags: Any) -> Any:
    from artcluster.config import load_config
    from artcluster.executors.local import InProcessExecutor
    from artcluster.runtime.progress import Silent, Timings
    from artcluster.workflows.job import Job

    config = load_config(flags={name.replace("__", "."): value for name, value in flags.items()})
    progress, here = Silent(), InProcessExecutor()
    return Job(config, store, here, here, progress, Timings(progress))


def plan(work: Path, count: int) -> dict[str, float]:
    from artcluster.archive import Known, Target, compare, latest_scan, write_plan
    from artcluster.archive.database import Limits
    from artcluster.location import Location
    from benchmarks.update import MEMORY_BYTES

    (work / "listed").mkdir()
    pid = os.fork()
    if pid == 0:
        make_tables(work / "listed", count)
        os._exit(0)
    os.waitpid(pid, 0)
    root = Location.parse(work / "listed" / "store")
    start = time.perf_counter()
    scan = latest_scan(root, "bench")
    assert scan is not None
    limits = Limits(memory_bytes=MEMORY_BYTES)
    with compare(scan, root, Known([], [], "p"), limits) as found:
        write_plan(found, root, Target("vectors", "embedder"))
        assert found.summary.todo == count
    return {"seconds": time.perf_counter() - start}


def registry(work: Path, count: int) -> dict[str, float]:
    from artcluster.executors.local import LocalClaims
    from artcluster.store import Store
    from artcluster.store.vectors import read_ids

    store = Store.open(work / "store")
    start = time.perf_counter()
    claims = LocalClaims(ids.to_pylist() for _, ids in read_ids(store, EMBEDDER))
    claims.claim("first", names(count, count + 1))
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    for part in range(100):
        asked = names(count - PART // 2 + part * PART, count + PART // 2 + part * PART)
        claims.claim(f"part-{part}", asked)
    return {"seconds": seconds, "claim_ms": 10 * (time.perf_counter() - start)}


def commit(work: Path, count: int) -> dict[str, float]:
    from artcluster.schema import EMBEDDINGS
    from artcluster.store import ShardInfo, Store, shard_name
    from artcluster.store.shards import shard_path

    store = Store.open(work / "log", create=True)
    partition = {"embedder_id": EMBEDDER}

    def shard(number: int) -> ShardInfo:
        name = shard_name(str(number))
        path = shard_path(EMBEDDINGS, name, partition)
        ids = {"content_id": ("0" * 64, "f" * 64)}
        return ShardInfo(name, path, 1 << 20, PART, partition, ids, EMBEDDINGS.file_schema)

    spent = []
    with store.lease("bench", [EMBEDDINGS]) as lease:
        for start in range(0, count, COMMIT_EVERY):
            first, last = start // PART, min(start + COMMIT_EVERY, count) // PART
            shards = [shard(number) for number in range(first, last)]
            began = time.perf_counter()
            store.commit_shards(EMBEDDINGS, shards, lease.fence)
            spent.append(time.perf_counter() - began)
    began = time.perf_counter()
    files = len(Store.open(work / "log").table(EMBEDDINGS).paths({"embedder_id": EMBEDDER}))
    return {
        "seconds": sum(spent),
        "last_ms": 1000 * float(np.median(spent[-10:])),
        "files": files,
        "open_s": time.perf_counter() - began,
    }


def cluster(work: Path, count: int) -> dict[str, Any]:
    from artcluster.store import Store
    from artcluster.workflows.clustering.cluster import cluster_archive

    settings = {"method": "kmeans", "k": CENTRES, "restarts": 1, "max_training_vectors": SAMPLE}
    flags = {f"cluster__{name}": value for name, value in settings.items()}
    start = time.perf_counter()
    done = cluster_archive(job(Store.open(work / "store"), **flags), "bench")
    assert done.contents == count
    stages = {stage: round(seconds, 2) for stage, seconds in done.seconds.items()}
    return {"seconds": time.perf_counter() - start, "by_stage": stages}


def vacuum(work: Path, _count: int) -> dict[str, float]:
    from artcluster.config import Config
    from artcluster.runtime.progress import Silent
    from artcluster.store import Store
    from artcluster.workflows.housekeeping.vacuum import vacuum_store

    start = time.perf_counter()
    vacuum_store(Store.open(work / "store"), Config(), Silent(), dry=True)
    return {"seconds": time.perf_counter() - start}


def merge(work: Path, _count: int) -> dict[str, float]:
    from artcluster.config import Config
    from artcluster.runtime.progress import Silent
    from artcluster.schema import EMBEDDINGS
    from artcluster.store import Store
    from artcluster.workflows.housekeeping.vacuum import vacuum_store

    store = Store.open(work / "parts")

    def files() -> int:
        return len(store.table(EMBEDDINGS).paths({"embedder_id": EMBEDDER}))

    before = files()
    start = time.perf_counter()
    vacuum_store(store, Config(), Silent(), dry=False)
    return {"seconds": time.perf_counter() - start, "files": before, "files_after": files()}


STEPS = {
    "make": make_store,
    "plan": plan,
    "registry": registry,
    "commit": commit,
    "cluster": cluster,
    "vacuum": vacuum,
    "make parts": make_parts,
    "merge": merge,
}
MEASURED = [step for step in STEPS if not step.startswith("make")]


def in_own_process(step: str, work: Path, count: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale", "--step", step, str(work), str(count)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def draw(rows: list[dict[str, Any]]) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axis, value, label in zip(
        axes, ("seconds", "peak_gib"), ("seconds", "peak memory, GiB"), strict=True
    ):
        for step in MEASURED:
            axis.plot(
                [row["images"] for row in rows],
                [row[step][value] for row in rows],
                marker="o",
                label=step,
            )
        axis.set(xscale="log", yscale="log", xlabel="images", ylabel=label)
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False)
    figure.savefig(PLOT, metadata={"Date": None})


def main(sizes: list[int]) -> None:
    machine = {"cpus": os.cpu_count(), "processor": platform.machine(), "system": platform.system()}
    rows: list[dict[str, Any]] = []
    for count in sizes:
        work = Path(tempfile.mkdtemp(prefix="artcluster-scale-"))
        try:
            row: dict[str, Any] = {"images": count}
            for step in STEPS:
                found = in_own_process(step, work, count)
                row[step] = found
                print(f"{count:>12,} {step:10} {found}", flush=True)
            rows.append(row)
        finally:
            shutil.rmtree(work)
    load = os.getloadavg()[2]
    result = {"work": __doc__, "machine": machine, "load_at_end": load, "sizes": rows}
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    draw(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step", nargs=3, metavar=("STEP", "WORK", "COUNT"))
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    arguments = parser.parse_args()
    if arguments.step:
        step, work, count = arguments.step
        found = STEPS[step](Path(work), int(count)) or {}
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps(found | {"peak_gib": round(peak_kb / 2**20, 3)}))
    else:
        main(arguments.sizes)
