"""The embedding job on Ray against a bare loop of the same engine, cores and pictures.

Work: real pictures of the demo archive, enlarged to 1000 px and saved as JPEG (q90), each content
once. The bare loop is one process that decodes (libjpeg-turbo, one thread) and embeds (OpenVINO on
all cores) in turn, with nothing else: no store, no hashing, no second process. The job is
`embed_archive` on a Ray cluster of this machine, from files to committed vectors. Its steady rate
is taken between the first finished part and the last. random:densenet121 has densenet121's cost.

    python benchmarks/embed_job.py
"""

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from artcluster.config import load_config
from artcluster.embedders import load, prepare
from artcluster.executors import make_executor
from artcluster.images.decode import decode_image
from artcluster.images.policy import PixelPolicy
from artcluster.runtime.progress import Silent, Timings
from artcluster.store import Store
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.job import Job

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "examples" / "demo-archive" / "images" / "constellations"
RESULTS = ROOT / "benchmarks" / "results" / "embed_job.json"
PART = 32


class Watch(Silent):
    """Notes when parts finish."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.finished: list[tuple[float, int]] = []

    def advance(self, stage: str, count: int) -> None:
        if stage == "embed":
            self.finished.append((time.perf_counter() - self.began, count))


def make_pictures(folder: Path, count: int) -> list[Path]:
    sources = sorted(f for f in DEMO.rglob("*") if f.suffix == ".jpg" and f.stat().st_size > 9000)
    made = []
    for number in range(count):
        with Image.open(sources[number % len(sources)]) as picture:
            turned = picture.convert("RGB").rotate(90 * (number // len(sources) % 4), expand=True)
            if number // len(sources) >= 4:
                turned = ImageOps.mirror(turned)
            file = folder / f"{number:05d}.jpg"
            fitted = ImageOps.fit(turned, (1000, 1000))
            # A mark of its own: pictures that are the same turned would be embedded once.
            fitted.paste((number % 256, number // 256, 128), (0, 0, 16, 16))
            fitted.save(file, quality=90)
            made.append(file)
    return made


def bare_rate(files: list[Path], backbone: str, cores: int) -> float:
    policy = PixelPolicy()
    contract, state = prepare(backbone, pixel_policy_id=policy.pixels_id, fit=policy.fit)
    embedder = load(contract, state, device="cpu", threads=cores, batch_size=PART)
    blobs = [file.read_bytes() for file in files]

    def pass_over(some: list[bytes]) -> None:
        pixels = [decode_image(blob, policy, contract.input_px)[0] for blob in some]
        embedder(np.stack([each for each in pixels if each is not None]))

    pass_over(blobs[:PART])
    began = time.perf_counter()
    for start in range(0, len(blobs), PART):
        pass_over(blobs[start : start + PART])
    return len(blobs) / (time.perf_counter() - began)


def job_rate(files: list[Path], backbone: str, folder: Path) -> tuple[float, float, float]:
    watch = Watch()
    flags = {"embed.backbone": backbone, "embed.part_images": PART}
    executor, local = make_executor("ray"), make_executor("in-process")
    try:
        store = Store.open(folder / f"store-{backbone.replace(':', '-')}", create=True)
        job = Job(load_config(flags=flags), store, executor, local, watch, Timings(watch))
        done = embed_archive(job, str(files[0].parent))
    finally:
        executor.close()
    assert done.embedded == len(files), done
    first_s, first_images = watch.finished[0]
    last_s = watch.finished[-1][0]
    images = sum(count for _, count in watch.finished) - first_images
    return images / (last_s - first_s), first_s, last_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for backbone, share in (("mobilenet_v2", 1.0), ("random:densenet121", 0.5)):
            images = folder / f"images-{backbone.replace(':', '-')}"
            images.mkdir()
            files = make_pictures(images, int(arguments.images * share))
            for number in range(arguments.rounds):
                before = bare_rate(files, backbone, cores)
                (folder / str(number)).mkdir(exist_ok=True)
                steady, first_s, whole_s = job_rate(files, backbone, folder / str(number))
                after = bare_rate(files, backbone, cores)
                bare = (before + after) / 2
                rows.append(
                    {
                        "backbone": backbone,
                        "images": len(files),
                        "bare_images_per_s": round(bare, 2),
                        "bare_before_and_after": [round(before, 2), round(after, 2)],
                        "job_steady_images_per_s": round(steady, 2),
                        "ratio": round(steady / bare, 3),
                        "seconds_to_first_part": round(first_s, 1),
                        "seconds_in_all": round(whole_s, 1),
                    }
                )
                print(json.dumps(rows[-1]))
    found = {
        "work": __doc__.split("\n\n")[1],
        "machine": f"{platform.processor() or platform.machine()}, {cores} cores, no GPU",
        "load_before": os.getloadavg()[0],
        "rows": rows,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
