"""Decode and resize to 224² on one core, against Pillow's full decode and bicubic resize.

Work: real pictures of the demo archive laid side by side to 1000², 2000×1500, 3000×2400 and
6000×4500, encoded as JPEG (q90 4:2:0, baseline and progressive) and PNG; and the archive's own
small JPEGs, 100 of them. Each contender decodes the same bytes in turn, several rounds in one
process pinned to one core; the best round counts. PSNR is against Pillow's pixels.

Peers: Pillow as most people call it (`Image.open`, convert, resize BICUBIC), and Pillow with
`draft`, which lets its JPEG decoder scale.

The decoder's process: the same bare function called through `Decoder`, child and pipe included, on
the same core; its overhead a picture is the difference.

Aims: exact at least 2.2 times Pillow, scaled at least 3 times, on baseline JPEGs of every size.
"""

import argparse
import io
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
import torch
from PIL import Image
from PIL import __version__ as pillow_version

from artcluster.images.decode import decode_image
from artcluster.images.policy import PixelPolicy
from artcluster.images.sandbox.decoder import Decoder

ARCHIVE = Path(__file__).parents[1] / "examples" / "demo-archive" / "images"
RESULT = Path(__file__).parent / "results" / "decode.json"
TARGET = (224, 224)
EXACT, SCALED = PixelPolicy(decode="exact"), PixelPolicy(decode="scaled")
SIZES = ((1000, 1000), (2000, 1500), (3000, 2400), (6000, 4500))
AIMS = {"exact": 2.2, "scaled": 3.0}

Contender = Callable[[bytes], np.ndarray]


def by_pillow(blob: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(blob)).convert("RGB")
    return np.asarray(image.resize(TARGET[::-1], Image.Resampling.BICUBIC))


def by_pillow_draft(blob: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(blob))
    image.draft("RGB", (2 * TARGET[1], 2 * TARGET[0]))
    return np.asarray(image.convert("RGB").resize(TARGET[::-1], Image.Resampling.BICUBIC))


def by_policy(policy: PixelPolicy) -> Contender:
    def decode(blob: bytes) -> np.ndarray:
        pixels, info = decode_image(blob, policy, TARGET)
        assert pixels is not None, info
        return pixels

    return decode


CONTENDERS: dict[str, Contender] = {
    "pillow": by_pillow,
    "pillow-draft": by_pillow_draft,
    "exact": by_policy(EXACT),
    "scaled": by_policy(SCALED),
}


def mosaic(width: int, height: int) -> Image.Image:
    """Paintings of constellations side by side, at their own resolution."""
    paths = sorted(
        path
        for path in (ARCHIVE / "constellations").rglob("*")
        if path.suffix in (".jpg", ".webp") and path.stat().st_size > 10_000
    )
    canvas, x, y, row_height = Image.new("RGB", (width, height)), 0, 0, 0
    number = 0
    while y < height:
        picture = Image.open(paths[number % len(paths)]).convert("RGB")
        number += 1
        canvas.paste(picture, (x, y))
        x, row_height = x + picture.width, max(row_height, picture.height)
        if x >= width:
            x, y, row_height = 0, y + row_height, 0
    return canvas


def encoded(image: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    if kind == "png":
        image.save(stream, "PNG", compress_level=6)
    else:
        image.save(stream, "JPEG", quality=90, subsampling=2, progressive=kind == "progressive")
    return stream.getvalue()


def best_seconds(
    contenders: dict[str, Callable[[], object]], rounds: int, least_s: float
) -> dict[str, float]:
    """Best time of each contender, timed alternately; a round repeats short calls."""
    repeats = {}
    for name, call in contenders.items():
        call()
        start = time.perf_counter()
        call()
        repeats[name] = max(1, round(least_s / (time.perf_counter() - start)))
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for name, call in contenders.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                call()
            best[name] = min(best[name], (time.perf_counter() - start) / repeats[name])
    return best


def psnr_db(pixels: np.ndarray, reference: np.ndarray) -> float | None:
    """PSNR in dB; None for equal pixels."""
    error = ((pixels.astype(float) - reference) ** 2).mean()
    return None if error == 0 else round(float(10 * np.log10(255**2 / error)), 1)


def measure(name: str, kind: str, blobs: list[bytes], rounds: int) -> dict[str, object]:
    """Time every contender on the blobs; milliseconds are a picture's."""

    def over(contender: Contender) -> Callable[[], object]:
        return lambda: [contender(blob) for blob in blobs]

    best = best_seconds({key: over(call) for key, call in CONTENDERS.items()}, rounds, 0.1)
    reference = np.stack([by_pillow(blob) for blob in blobs]).astype(int)
    row: dict[str, object] = {
        "picture": name,
        "kind": kind,
        "kilobytes": round(sum(map(len, blobs)) / len(blobs) / 1000),
        "ms": {key: round(1000 * seconds / len(blobs), 2) for key, seconds in best.items()},
        "times_pillow": {key: round(best["pillow"] / value, 2) for key, value in best.items()},
    }
    made = {key: np.stack([call(blob) for blob in blobs]) for key, call in CONTENDERS.items()}
    row["psnr_db"] = {key: psnr_db(pixels, reference) for key, pixels in made.items()}
    row["largest_difference"] = {
        key: int(np.abs(pixels - reference).max()) for key, pixels in made.items()
    }
    return row


def measure_process(batches: dict[str, list[bytes]], rounds: int) -> list[dict[str, object]]:
    """Time the bare function against the whole `Decoder`."""
    rows: list[dict[str, object]] = []
    bare = by_policy(SCALED)
    start = time.perf_counter()
    with Decoder(SCALED, TARGET) as decoder:
        decoder.decode(next(iter(batches.values())))
        started_s = time.perf_counter() - start
        replaced_s = float("inf")
        for _ in range(rounds):
            decoder.child.kill()
            start = time.perf_counter()
            decoder.probe([b"x"])
            replaced_s = min(replaced_s, time.perf_counter() - start)
        for name, blobs in batches.items():

            def call_bare(blobs: list[bytes] = blobs) -> object:
                return [bare(blob) for blob in blobs]

            def call_decoder(blobs: list[bytes] = blobs) -> object:
                return decoder.decode(blobs)

            best = best_seconds({"bare": call_bare, "decoder": call_decoder}, rounds, 0.2)
            rows.append(
                {
                    "pictures": name,
                    "bare_ms": round(1000 * best["bare"] / len(blobs), 3),
                    "decoder_ms": round(1000 * best["decoder"] / len(blobs), 3),
                    "overhead_ms": round(1000 * (best["decoder"] - best["bare"]) / len(blobs), 3),
                    "relative": round(best["decoder"] / best["bare"], 3),
                }
            )
    rows.append(
        {"first_start_s": round(started_s, 2), "child_replaced_ms": round(1000 * replaced_s, 1)}
    )
    return rows


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=7, help="rounds; the best counts")
    arguments.add_argument("--largest", type=int, default=6000, help="widest picture, in pixels")
    chosen = arguments.parse_args()
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    small = [path.read_bytes() for path in sorted((ARCHIVE / "drawings").rglob("*_01.jpg"))[:100]]
    rows, batches = [], {"demo-archive": small}
    rows.append(measure("demo-archive", "jpeg", small, chosen.rounds))
    for width, height in SIZES:
        if width > chosen.largest:
            continue
        picture = mosaic(width, height)
        for kind in ("jpeg", "progressive", "png"):
            blob = encoded(picture, kind)
            rounds = chosen.rounds if kind == "jpeg" else max(2, chosen.rounds // 3)
            rows.append(measure(f"{width}×{height}", kind, [blob], rounds))
            if kind == "jpeg":
                batches[f"{width}×{height}"] = [blob] * 4
    process = measure_process(batches, chosen.rounds)
    baseline = [row for row in rows if row["kind"] == "jpeg" and row["picture"] != "demo-archive"]
    least = {
        key: min(row["times_pillow"][key] for row in baseline)  # type: ignore[index]
        for key in AIMS
    }
    report = {
        "work": " ".join(__doc__.split("Peers:")[0].split()),
        "machine": {
            "processor": processor(),
            "threads": 1,
            "python": platform.python_version(),
            "pillow": pillow_version,
            "torch": torch.__version__,
        },
        "aims_times_pillow": AIMS,
        "least_times_pillow": least,
        "pictures": rows,
        "process": process,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    show(rows, process, least)


def show(
    rows: list[dict[str, object]], process: list[dict[str, object]], least: dict[str, float]
) -> None:
    print(f"{'picture':14}{'kind':12}", *(f"{key:>24}" for key in CONTENDERS))
    for row in rows:
        cells = [
            f"{row['ms'][key]:9.2f} ms {row['times_pillow'][key]:5.2f}×"  # type: ignore[index]
            f" {row['psnr_db'][key] or '='!s:>5}"  # type: ignore[index]
            for key in CONTENDERS
        ]
        print(f"{row['picture']:14}{row['kind']:12}", *(f"{cell:>24}" for cell in cells))
    for line in process:
        print(" ".join(f"{key} {value}" for key, value in line.items()))
    for key, aim in AIMS.items():
        print(f"{key}: at least {least[key]:.2f} times Pillow on baseline JPEGs, aim {aim}")


if __name__ == "__main__":
    main()
