"""Updates of an archive that grows: planning against what is known, a night, and numbers kept.

Planning: a listing of N synthetic paths, of which one in a thousand is new and one in a thousand
changed, is compared with a store's tables of N known images and their vectors' content_ids, and the
files to do are written as a plan. In a process of its own with store.memory_bytes = 2 GiB; peak
resident memory is measured. The aim is below 4 GiB at 10 million.

A night: 500 real pictures (the demo archive's, 224 px PNGs) in a first run (mobilenet_v2, k-means,
k = 8), then 40 new, 5 changed, 5 renamed and 10 removed. Seconds of the update, and of the full run
over the same pictures into an empty store; both in one process that has everything imported, and
whose network is loaded: start-up is left out.

Ten nights: 400 of these pictures in a first run, then ten nights of 10 new, 2 changed, 1 renamed
and 2 removed; every third night fits the model anew, warm-started, and the others keep it. The
share of untouched images that keep their cluster's number, and what became of each cluster.

Numbers kept: the demo archive by MobileNetV2 (k-means and delius), refitted on the same pictures by
other seeds. The share of images whose cluster keeps its number, the most that any one-to-one
relabelling could keep, and the adjusted Rand index of the two partitions, which no numbering
changes.
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
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks._synthetic import make_tables

RESULT = Path(__file__).parent / "results" / "update.json"
REPOSITORY = Path(__file__).parents[1]
DEMO = REPOSITORY / "examples" / "demo-archive" / "images"
MEMORY_BYTES = 2 << 30
SEEDS = (1, 2, 3)


def plan(work: Path) -> dict[str, float]:
    from artcluster.archive import Known, Target, compare, latest_scan, write_plan
    from artcluster.archive.database import Limits
    from artcluster.location import Location

    root = Location.parse(work / "store")
    images, embedded = (
        sorted((work / "known").glob(f"{name}-*.parquet")) for name in ("images", "embedded")
    )
    start = time.perf_counter()
    scan = latest_scan(root, "bench")
    assert scan is not None
    limits = Limits(memory_bytes=MEMORY_BYTES)
    with compare(scan, root, Known(images, embedded, "p"), limits) as comparison:
        found = comparison.summary
        write_plan(comparison, root, Target("vectors", "embedder"))
    seconds = time.perf_counter() - start
    assert (found.new, found.changed) == (found.listed // 1000, found.listed // 1000)
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "images": found.listed,
        "todo": found.todo,
        "seconds": seconds,
        "peak_gib": peak_kb / 2**20,
    }


def planning(images: int) -> dict[str, float]:
    work = Path(tempfile.mkdtemp(prefix="artcluster-update-"))
    try:
        make_tables(work, images)
        done = subprocess.run(
            [sys.executable, __file__, "--plan", str(work)],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found
    finally:
        shutil.rmtree(work)


class Pictures:
    """The demo archive's pictures, each once, copied to a folder at 224 px."""

    def __init__(self, folder: Path) -> None:
        from PIL import Image

        self.folder = folder
        folder.mkdir(parents=True)
        broken = ("empty", "not-an-image", "truncated")
        files = sorted(f for f in DEMO.rglob("*") if f.is_file() and f.stem not in broken)
        distinct = {file.read_bytes(): file for file in reversed(files)}
        self._left = [
            Image.open(file).convert("RGB").resize((224, 224)) for file in sorted(distinct.values())
        ]
        self._number = 0

    def add(self, count: int) -> None:
        for _ in range(count):
            self.put(f"{self._number:04d}.png")
            self._number += 1

    def put(self, name: str) -> None:
        partial = self.folder / f"{name}.partial"
        self._left.pop(0).save(partial, "PNG")
        partial.rename(self.folder / name)


def job(store: Path, **settings: Any) -> Any:
    from artcluster.config import load_config
    from artcluster.executors.local import InProcessExecutor
    from artcluster.runtime.progress import Silent, Timings
    from artcluster.store import Store
    from artcluster.workflows.job import Job

    flags = {name.replace("__", "."): value for name, value in settings.items()}
    config = load_config(flags={"archive.id": "bench", "embed.backbone": "mobilenet_v2", **flags})
    progress = Silent()
    machines = InProcessExecutor()
    opened = Store.open(store, create=True)
    return Job(config, opened, machines, machines, progress, Timings(progress))


def night(work: Path) -> dict[str, Any]:
    from artcluster.workflows.growing.update import update_archive

    settings = {"cluster__method": "kmeans", "cluster__k": 8}
    pictures = Pictures(work / "images")
    pictures.add(500)
    images = str(work / "images")
    update_archive(job(work / "store", **settings), images)
    names = sorted(file.name for file in pictures.folder.iterdir())
    for name in names[:5]:
        pictures.put(name)
    for name in names[5:10]:
        (pictures.folder / name).rename(pictures.folder / f"renamed-{name}")
    for name in names[10:20]:
        (pictures.folder / name).unlink()
    pictures.add(40)
    found: dict[str, Any] = {}
    for name, store in (("update", work / "store"), ("full run", work / "another")):
        began = time.perf_counter()
        done = update_archive(job(store, **settings), images)
        found[name] = {
            "seconds": time.perf_counter() - began,
            "outcome": done.outcome,
            "embedded": done.embedding.embedded,
            "by_stage": {stage: round(s, 2) for stage, s in done.seconds.items()},
        }
        if done.changes is not None:
            found[name]["untouched"] = done.changes.images.untouched
            found[name]["kept_their_cluster"] = done.changes.images.same_cluster
    return found


def nights(work: Path) -> list[dict[str, Any]]:
    from artcluster.workflows.growing.update import update_archive

    pictures = Pictures(work / "images")
    pictures.add(400)
    images, store = str(work / "images"), work / "store"
    settings = {"cluster__method": "kmeans", "cluster__k": 8}
    update_archive(job(store, **settings), images)
    rows = []
    for night in range(1, 11):
        names = sorted(file.name for file in pictures.folder.iterdir())
        for name in names[:2]:
            pictures.put(name)
        (pictures.folder / names[2]).rename(pictures.folder / f"z-{night}-{names[2]}")
        for name in names[3:5]:
            (pictures.folder / name).unlink()
        pictures.add(10)
        refit = "always" if night % 3 == 0 else "never"
        done = update_archive(job(store, **settings, update__refit=refit), images)
        assert done.changes is not None, done.outcome
        counts = done.changes.images
        rows.append(
            {
                "night": night,
                "outcome": done.outcome,
                "untouched": counts.untouched,
                "kept_share": counts.same_cluster / counts.untouched,
                "lineage": dict(Counter(each.kind for each in done.changes.clusters)),
            }
        )
    return rows


def refits(work: Path) -> list[dict[str, Any]]:
    from artcluster.workflows.growing.update import update_archive

    rows = []
    for method in ("kmeans", "delius"):
        store = work / method
        for seed in (0, *SEEDS):
            settings = {"cluster__method": method, "cluster__k": 8, "cluster__seed": seed}
            done = update_archive(job(store, **settings), str(DEMO))
            if done.changes is not None:
                rows.append(
                    {
                        "method": method,
                        "seed": seed,
                        "kept_share": done.changes.kept_share,
                        "best_share": done.changes.best_share,
                        "ari": done.changes.ari,
                        "kept_clusters": sum(c.kind == "kept" for c in done.changes.clusters),
                    }
                )
    return rows


def in_own_process(step: str) -> Any:
    work = Path(tempfile.mkdtemp(prefix="artcluster-update-"))
    try:
        done = subprocess.run(
            [sys.executable, __file__, "--step", step, "--work", str(work)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        return json.loads(done.stdout.splitlines()[-1])
    finally:
        shutil.rmtree(work)


STEPS = {"night": night, "nights": nights, "refits": refits}


def show(results: dict[str, Any]) -> None:
    for row in results.get("planning", []):
        print(
            f"planning {row['images']:>12,.0f} known images: {row['seconds']:7.1f} s, "
            f"peak {row['peak_gib']:.2f} GiB, {row['todo']:,.0f} to do"
        )
    for name, found in results.get("night", {}).items():
        print(f"{name}: {found['seconds']:.1f} s, {found['embedded']} embedded, {found['outcome']}")
    for row in results.get("nights", []):
        print(
            f"night {row['night']:2}: {row['outcome']}, {row['kept_share']:.3f} of "
            f"{row['untouched']} untouched keep their number, {row['lineage']}"
        )
    print(f"{'method':10}{'seed':>5}{'kept':>8}{'best':>8}{'ARI':>8}{'clusters kept':>15}")
    for row in results.get("refits", []):
        print(
            f"{row['method']:10}{row['seed']:5}{row['kept_share']:8.3f}{row['best_share']:8.3f}"
            f"{row['ari']:8.3f}{row['kept_clusters']:15}"
        )


def main(steps: list[str], sizes: list[int]) -> None:
    machine = {"cpus": os.cpu_count(), "processor": platform.machine(), "system": platform.system()}
    measured: dict[str, Any] = {"work": __doc__, "machine": machine}
    if "planning" in steps:
        measured["planning"] = [planning(size) for size in sizes]
    for step in STEPS:
        if step in steps:
            measured[step] = in_own_process(step)
    measured |= {f"{step}, load": os.getloadavg()[2] for step in steps}
    # Other parts may have been measured before, or meanwhile.
    results = (json.loads(RESULT.read_text()) if RESULT.exists() else {}) | measured
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(results, indent=1) + "\n")
    show(results)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path)
    parser.add_argument("--step", choices=STEPS)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--only", nargs="+", default=["planning", *STEPS])
    parser.add_argument("--sizes", nargs="+", type=int, default=[1_000_000, 10_000_000])
    arguments = parser.parse_args()
    if arguments.plan:
        print(json.dumps(plan(arguments.plan)))
    elif arguments.step:
        print(json.dumps(STEPS[arguments.step](arguments.work)))
    else:
        main(arguments.only, arguments.sizes)
