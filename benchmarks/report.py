"""The report of 100,000 images: how long it takes, how large it is, how its map moves.

Work: a store of 100,000 made-up pictures (48 × 36 pixels, JPEG, each of its own bytes) with
64-dimensional vectors of 24 groups and a metadata table, clustered by k-means. `artcluster report`
runs in a process of its own, with two threads, and makes everything anew: the map by t-SNE, small
copies of all pictures, pages. Memory is the sum over its processes, shared pages counted once. The
map is then opened from disk in headless Chromium, which draws WebGL by software (SwiftShader) on
the same cores, and is dragged for five seconds; at rest it draws every point.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from artcluster.config import load_config
from artcluster.executors.local import InProcessExecutor
from artcluster.runtime.progress import Silent, Timings
from artcluster.schema import EMBEDDERS, EMBEDDINGS, IMAGES
from artcluster.store import Store, shard_name
from artcluster.store.metadata import replace_metadata
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.job import Job

THREADS = 2
DIM, GROUPS, SHARD = 64, 24, 20_000
RESULT = Path(__file__).parent / "results" / "report.json"
CHROMIUM = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
)


def make_pictures(folder: Path, count: int) -> list[tuple[str, str, int]]:
    """Write pictures; return path, content_id and size of each."""
    generator = np.random.default_rng(0)
    made = []
    for number in range(count):
        coarse = generator.integers(0, 255, (3, 4, 3), np.uint8)
        coarse[:, :, number % 3] //= 3
        stream = io.BytesIO()
        picture = Image.fromarray(coarse).resize((48, 36), Image.Resampling.BICUBIC)
        picture.save(stream, "JPEG", quality=85)
        path = f"{number // 1000:03d}/{number:06d}.jpg"
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(stream.getvalue())
        digest = hashlib.sha256(stream.getvalue()).hexdigest()
        made.append((path, digest, len(stream.getvalue())))
    return made


def make_store(root: Path, count: int) -> Store:
    """Make a store as an embedding job would leave it, and cluster it."""
    pictures = make_pictures(root / "images", count)
    store = Store.open(root / "store", create=True)
    now = datetime.now(UTC)
    paths = [path for path, _, _ in pictures]
    contents = [content for _, content, _ in pictures]
    constant: dict[str, Any] = {
        "archive_id": "made-up",
        "scan_id": 1,
        "version": "1",
        "width": 48,
        "height": 36,
        "format": "JPEG",
        "status": "ok",
        "stage": None,
        "reason": None,
        "detail": None,
        "pixel_policy": "v1-squash-scaled-500Mpx-r2",
        "seen_at": now,
    }
    columns: dict[str, list[Any]] = {name: [value] * count for name, value in constant.items()}
    columns["path"] = paths
    columns["uri"] = [str(root / "images" / path) for path in paths]
    columns["size_bytes"] = [size for _, _, size in pictures]
    columns["content_id"] = contents
    store.append(IMAGES, pa.table({c.name: columns[c.name] for c in IMAGES.schema}, IMAGES.schema))
    row = {
        "embedder_id": "made-up-0",
        "name": "made-up",
        "dim": DIM,
        "contract": "{}",
        "engine": "{}",
        "created_at": now,
    }
    store.append(EMBEDDERS, pa.Table.from_pylist([row], EMBEDDERS.schema))
    generator = np.random.default_rng(1)
    group_N = generator.integers(GROUPS, size=count)
    x_ND = generator.normal(size=(GROUPS, DIM))[group_N] * 2 + generator.normal(size=(count, DIM))
    for start in range(0, count, SHARD):
        ids = contents[start : start + SHARD]
        values = pa.array(x_ND[start : start + SHARD].astype(np.float32).ravel())
        offsets = pa.array(np.arange(len(ids) + 1, dtype=np.int32) * DIM)
        table = pa.table(
            {
                "content_id": ids,
                "region": [""] * len(ids),
                "embedding": pa.ListArray.from_arrays(offsets, values),
            }
        )
        shard = store.shard_writer(EMBEDDINGS).write(
            shard_name(*ids), table, {"embedder_id": "made-up-0"}
        )
        store.commit_shards(EMBEDDINGS, [shard], None)
    styles = np.array([f"style {group // 3}" for group in range(GROUPS)])
    metadata = pa.table(
        {
            "path": paths,
            "title": [f"Picture {number:06d}" for number in range(count)],
            "style": styles[np.where(generator.random(count) < 0.8, group_N, group_N[::-1])],
            "genre": [f"genre {number}" for number in generator.integers(12, size=count)],
        }
    )
    replace_metadata(store, "made-up", "made-up.csv", "1", metadata, None)
    settings = {"cluster.method": "kmeans", "cluster.k": GROUPS, "cluster.restarts": 2}
    progress = Silent()
    local = InProcessExecutor()
    job = Job(load_config(flags=settings), store, local, local, progress, Timings(progress))
    cluster_archive(job, None)
    return store


def measure_report(store: Path, log: Path) -> dict[str, Any]:
    """Run the command; return its answer, seconds, and the most memory it took."""
    environment = os.environ | {"OMP_NUM_THREADS": str(THREADS)}
    command = [sys.executable, "-m", "artcluster", "report", str(store), "--json"]
    began = time.perf_counter()
    most = 0
    with log.open("w") as errors:
        running = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        while running.poll() is None:
            most = max(most, _memory(running.pid))
            time.sleep(0.5)
    seconds = time.perf_counter() - began
    assert running.stdout is not None
    if running.returncode:
        sys.exit(log.read_text())
    return {"seconds": seconds, "peak_bytes": most, **json.loads(running.stdout.read())}


def _memory(pid: int) -> int:
    """Sum the memory of a process and its children in bytes, shared pages by their share."""
    total = 0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += 1024 * int(line.split()[1])
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(_memory(int(child)) for child in (task / "children").read_text().split())
    except OSError:
        pass
    return total


def measure_map(report: Path) -> dict[str, Any]:
    """Open the map from disk, count points, drag it, hover over it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(CHROMIUM)
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        began = time.perf_counter()
        page.goto(f"file://{report}/map.html")
        while page.evaluate("document.getElementById('map').dataset.ready") != "true":
            time.sleep(0.05)
        opened = time.perf_counter() - began
        time.sleep(1)
        result = {
            "opened_s": opened,
            "points_at_rest": page.evaluate("artcluster.map.drawn.points"),
            "chromium": browser.version,
            "renderer": page.evaluate(
                "(() => { const gl = document.createElement('canvas').getContext('webgl2');"
                " return gl.getParameter(gl.getExtension('WEBGL_debug_renderer_info')"
                ".UNMASKED_RENDERER_WEBGL); })()"
            ),
            **_drag(page, 5.0),
        }
        began = time.perf_counter()
        page.mouse.move(420, 420)
        result["hover_s"] = time.perf_counter() - began
        browser.close()
    return result


def _drag(page: Page, seconds: float) -> dict[str, float]:
    """Drag from inside the page, once a frame; a frame counts once its pixels can be read."""
    frames, fewest, points = page.evaluate(
        """async (seconds) => {
            const { drawn, pan } = artcluster.map;
            const gl = document.getElementById("points").getContext("webgl2");
            const pixel = new Uint8Array(4);
            const start = performance.now(), first = drawn.frames;
            let fewest = drawn.points, last = 0;
            for (let turn = 0; performance.now() - start < 1000 * seconds; turn++) {
                pan(6 * Math.cos(turn / 15), 4 * Math.sin(turn / 15));
                await new Promise(requestAnimationFrame);
                gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
                fewest = Math.min(fewest, drawn.points);
                last = drawn.points;
            }
            return [drawn.frames - first, fewest, last];
        }""",
        seconds,
    )
    return {
        "frames_a_second": frames / seconds,
        "fewest_points_while_dragging": fewest,
        "points_at_the_end_of_dragging": points,
    }


def first_page_bytes(report: Path) -> int:
    """Return what the first page loads without scrolling: text, styles, scripts, all covers."""
    files = [report / "index.html", *(report / "assets").glob("*"), *(report / "covers").glob("*")]
    return sum(file.stat().st_size for file in files)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="Keep the made-up store here, for next time.")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="report-bench-") as scratch:
        root = arguments.folder or Path(scratch)
        if not (root / "store").exists():
            make_store(root, arguments.images)
        for left in ("report", "report-cache", "projections", "maps"):
            shutil.rmtree(root / "store" / left, ignore_errors=True)
        made = measure_report(root / "store", root / "report.log")
        report = root / "store" / "report"
        again = measure_report(root / "store", root / "again.log")
        result = {
            "work": " ".join((__doc__ or "").split()),
            "machine": {
                "processor": platform.processor() or platform.machine(),
                "cores": os.cpu_count(),
                "threads": THREADS,
                "load_before": load,
            },
            "images": made["images"],
            "report": made,
            "again": {name: again[name] for name in ("seconds", "peak_bytes")},
            "first_page_bytes": first_page_bytes(report),
            "stages": (root / "report.log").read_text().splitlines(),
            "map": measure_map(report),
        }
    print(f"report: {made['seconds']:.0f} s, {made['peak_bytes'] / 2**30:.2f} GiB at most")
    print(f"again: {again['seconds']:.0f} s")
    print(f"size: {made['size_bytes'] / 1e6:.0f} MB, first page {result['first_page_bytes']:,} B")
    print(f"map: {result['map']}")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
