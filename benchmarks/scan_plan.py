"""Scanning an archive and planning what is new: seconds and peak memory, 100,000 and 1 M paths.

Work: real empty files in folders of 1,000 are listed into a scan; the scan is compared with an
empty store (everything is to do) and with a store that knows every file, where one in a hundred
has changed since; the files to do are written as a plan of parts. Peer: the plain way, os.walk
into a list and a dictionary of all that is known.

Each step runs in a process of its own, which reports its peak resident memory. The aim is that
memory at one million paths is at most 200 MB above that at 100,000.
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

SIZES = (100_000, 1_000_000)
FOLDER_FILES = 1000
RESULT = Path(__file__).parent / "results" / "scan_plan.json"
REPOSITORY = Path(__file__).parents[1]


def make_files(folder: Path, count: int) -> None:
    for start in range(0, count, FOLDER_FILES):
        below = folder / f"collection-{start // 100_000:03d}" / f"box-{start // FOLDER_FILES:05d}"
        below.mkdir(parents=True)
        for number in range(start, min(start + FOLDER_FILES, count)):
            os.close(os.open(below / f"object-{number:08d}-recto.jpg", os.O_CREAT | os.O_WRONLY))


def scan(work: Path) -> dict[str, float]:
    from artcluster.archive import Listing, write_scan
    from artcluster.location import Location

    start = time.perf_counter()
    found = write_scan(
        Listing(Location.parse(work / "archive")), Location.parse(work / "store"), "bench"
    )
    return {"seconds": time.perf_counter() - start, "images": found.images}


def make_known(work: Path) -> dict[str, float]:
    import duckdb

    target, listing = work / "known", f"{work}/store/scans/bench/00000001/listing-*.parquet"
    target.mkdir()
    connection = duckdb.connect()
    connection.execute(
        f"copy (select 'bench' archive_id, path, uri, 0::bigint scan_id, size_bytes, "
        f"case when row % 100 = 7 then 'old' else version end as version, "
        f"sha256(path) content_id, 1::int width, 1::int height, 'JPEG' format, 'ok' status, "
        f"null::varchar stage, null::varchar reason, null::varchar detail, 'p' pixel_policy, "
        f"now() seen_at from '{listing}') to '{target}/images.parquet'"
    )
    connection.execute(
        f"copy (select 'e' embedder_id, content_id, '' region from '{target}/images.parquet') "
        f"to '{target}/embedded.parquet'"
    )
    return {}


def plan(work: Path, known: bool) -> dict[str, float]:
    from artcluster.archive import Known, Target, compare, latest_scan, write_plan
    from artcluster.location import Location

    root = Location.parse(work / "store")
    files = [[work / "known" / f"{name}.parquet"] if known else [] for name in KNOWN]
    start = time.perf_counter()
    found = latest_scan(root, "bench")
    assert found is not None
    with compare(found, root, Known(files[0], files[1], "p")) as comparison:
        made = write_plan(comparison, root, Target("vectors", f"embedder-{known}"))
    return {"seconds": time.perf_counter() - start, "images": made.images, "parts": made.parts}


KNOWN = ("images", "embedded")


def plain_scan(work: Path) -> dict[str, float]:
    start = time.perf_counter()
    listed = _plain_listing(work)
    return {"seconds": time.perf_counter() - start, "images": len(listed)}


def plain_plan(work: Path) -> dict[str, float]:
    import pyarrow.parquet as pq

    listed = _plain_listing(work)
    start = time.perf_counter()
    images = pq.read_table(work / "known/images.parquet").to_pylist()
    embedded = set(pq.read_table(work / "known/embedded.parquet")["content_id"].to_pylist())
    state = {row["path"]: (row["version"], row["content_id"]) for row in images}
    todo = [
        path
        for path, version in listed
        if path not in state or state[path][0] != version or state[path][1] not in embedded
    ]
    return {"seconds": time.perf_counter() - start, "images": len(todo)}


def _plain_listing(work: Path) -> list[tuple[str, str]]:
    root = work / "archive"
    files = (Path(folder, name) for folder, _, names in os.walk(root) for name in names)
    return [(str(file.relative_to(root)), str(file.stat().st_mtime_ns)) for file in files]


STEPS = {
    "scan": scan,
    "scan, plain": plain_scan,
    "known": make_known,
    "first plan": lambda work: plan(work, known=False),
    "second plan, 1 % changed": lambda work: plan(work, known=True),
    "second plan, plain": plain_plan,
}


def in_own_process(step: str, work: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--step", step, "--work", str(work)],
        check=True,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    steps: dict[str, dict[str, dict[str, float]]] = {}
    for size in SIZES:
        work = Path(tempfile.mkdtemp(prefix="scan-plan-"))
        try:
            make_files(work / "archive", size)
            for step in STEPS:
                found = in_own_process(step, work)
                if step != "known":
                    steps.setdefault(step, {})[str(size)] = found
        finally:
            shutil.rmtree(work)
    small, large = map(str, SIZES)
    print(f"{'step':28}{'100 k s':>9}{'1 M s':>9}{'100 k MB':>10}{'1 M MB':>9}{'grown MB':>10}")
    for step, found in steps.items():
        grown = found[large]["peak_mb"] - found[small]["peak_mb"]
        print(
            f"{step:28}{found[small]['seconds']:9.2f}{found[large]['seconds']:9.2f}"
            f"{found[small]['peak_mb']:10.0f}{found[large]['peak_mb']:9.0f}{grown:10.0f}"
        )
    machine = {"cpus": os.cpu_count(), "processor": platform.machine(), "system": platform.system()}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps(
            {"work": __doc__, "machine": machine, "aim_grown_mb": 200, "steps": steps}, indent=1
        )
        + "\n"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step", choices=STEPS)
    parser.add_argument("--work", type=Path)
    arguments = parser.parse_args()
    if arguments.step:
        result = STEPS[arguments.step](arguments.work)
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({**result, "peak_mb": peak_kb / 1024}))
    else:
        main()
