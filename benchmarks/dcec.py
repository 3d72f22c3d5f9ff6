"""DCEC-Paint's training on 8,446 pictures of 128², as many as the paper has: memory, speed, resume.

Work: made-up pictures, kept as a store keeps them: 64 mapped arrays of bytes. Memory is that of a
process that pre-trains the autoencoder for some steps, takes seeds from k-means on the codes of a
quarter, and refines for some steps with the target of all pictures at both ends. The limit is
4 GiB; what the system keeps of the mapped files counts.

Peer: the loop that public code has: all pictures as floats in a TensorDataset, a DataLoader,
AdaMax, loss.item() at every step. Steps of pre-training are timed in turn, forward and back with
the optimiser; it has fewer pictures, as 8,446 of them are 1.7 GB of floats.

Resume: refinement of a part is killed by SIGKILL after a checkpoint and started again; the result
must be that of a run that nobody killed, bit for bit.
"""

import argparse
import hashlib
import json
import os
import platform
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import chain, pairwise, repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from artcluster.clustering.kmeans.kmeans import kmeans
from artcluster.config import CaeSettings, DcecSettings, from_settings
from artcluster.embedders.autoencoders import ConvolutionalAutoencoder
from artcluster.embedders.trained_networks import network_input
from artcluster.executors.checkpoints import Checkpoints
from artcluster.executors.local import LocalWorker
from artcluster.runtime.cancellation import Stop
from artcluster.training.autoencoders import train_cae
from artcluster.training.batches import VIRTUAL_SHARDS, shard_bounds
from artcluster.training.dec import train_dcec
from artcluster.training.refinement import DecConfig
from artcluster.workflows.embedding.trained_network import reconstruction_config

SIDE = 128
SHAPE = (SIDE, SIDE, 3)
CLUSTERS = 7
LIMIT_BYTES = 4 << 30
RESULT = Path(__file__).parent / "results" / "dcec.json"


def write_pictures(folder: Path, images: int) -> None:
    """Write overlaid waves of two colours a picture, in seven families."""
    bounds = shard_bounds(images, VIRTUAL_SHARDS)
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    for number, (start, stop) in enumerate(pairwise(bounds)):
        generator = np.random.default_rng((0, number))
        family = generator.integers(0, CLUSTERS, stop - start)[:, None, None]
        angle = generator.normal(size=(stop - start, 1, 1)) * 0.2 + family
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * (6 + 4 * family)) / 2 + 0.5
        colours = generator.random((stop - start, 2, 1, 1, 3))
        mixed = wave[..., None] * colours[:, 0] + (1 - wave[..., None]) * colours[:, 1]
        np.save(folder / f"{number:02d}.npy", (mixed * 255).astype(np.uint8))


def shards_of(folder: Path) -> list[np.ndarray]:
    return [np.load(file, mmap_mode="r") for file in sorted(folder.glob("*.npy"))]


def worker_of(shards: list[np.ndarray], checkpoints: Path, name: str) -> LocalWorker:
    saved = Checkpoints.at(str(checkpoints), name)
    return LocalWorker(shards, torch.device("cpu"), saved, Stop())


def codes_of(network: ConvolutionalAutoencoder, shards: list[np.ndarray]) -> np.ndarray:
    with torch.inference_mode():
        return np.concatenate(
            [network.encoder(network_input(torch.tensor(shard), 3)).numpy() for shard in shards]
        )


def dcec_config(**changes: Any) -> DecConfig:
    """Return DCEC-Paint's refinement, for a fixed number of iterations."""
    paint = {"optimizer": "adamax", "clustering_weight": 0.9, "reconstruction_weight": 0.1}
    fixed = paint | {"seed": 0, "tolerance": 0.0}
    return from_settings(DecConfig, DcecSettings(), **(fixed | changes))


def whole_training(folder: Path, steps: int) -> None:
    """Run in a process of its own; print what it took."""
    shards, checkpoints = shards_of(folder), folder / "checkpoints"
    network = ConvolutionalAutoencoder(input_px=SIDE)
    start = time.perf_counter()
    config = reconstruction_config("cae", CaeSettings(min_steps=0, max_steps=steps), seed=0)
    train_cae(worker_of(shards, checkpoints, "cae"), network, config, row_shape=SHAPE)
    pretrained = time.perf_counter()
    seeds = kmeans(codes_of(network, shards[:16]), CLUSTERS, restarts=20).centroids_KD
    seeded = time.perf_counter()
    refined = train_dcec(
        worker_of(shards, checkpoints, "dcec"),
        network,
        seeds,
        dcec_config(max_iterations=steps),
        row_shape=SHAPE,
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        json.dumps(
            {
                "images": sum(map(len, shards)),
                "steps": steps,
                "peak_bytes": peak,
                "within_limit": peak <= LIMIT_BYTES,
                "pretrain_s": pretrained - start,
                "codes_and_seeds_s": seeded - pretrained,
                "refine_s": time.perf_counter() - seeded,
                "refreshes": len(refined.history),
            }
        )
    )


def refinement(folder: Path, name: str, images: int) -> None:
    """Refine a part in a process of its own, a checkpoint at every refresh; print its hash."""
    every = -(-VIRTUAL_SHARDS * images // sum(map(len, shards_of(folder))))
    shards = shards_of(folder)[:every]
    network = ConvolutionalAutoencoder(input_px=SIDE)
    seeds = codes_of(network, shards[:1])[:CLUSTERS]
    config = dcec_config(
        max_iterations=6, refresh_every=2, batch_size=32, checkpoint_interval_s=0.0
    )
    result = train_dcec(
        worker_of(shards, folder / "checkpoints", name), network, seeds, config, row_shape=SHAPE
    )
    found = hashlib.sha256(result.centroids_KD.tobytes())
    for tensor in result.encoder.values():
        found.update(tensor.numpy().tobytes())
    print(json.dumps({"hash": found.hexdigest(), "refreshes": len(result.history)}))


def child(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, start_new_session=True
    )


def answer(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    out, _ = process.communicate()
    assert process.returncode == 0, process.returncode
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def measure_resume(folder: Path, images: int) -> dict[str, Any]:
    whole = answer(child("--refine", str(folder), "--name", "whole", "--images", str(images)))
    arguments = ("--refine", str(folder), "--name", "killed", "--images", str(images))
    killed = child(*arguments)
    saved = Checkpoints.at(str(folder / "checkpoints"), "killed")
    while killed.poll() is None and (saved.load() or {"iteration": 0})["iteration"] < 2:
        time.sleep(0.05)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    state = saved.load()
    assert state is not None
    resumed = answer(child(*arguments))
    return {
        "images": images,
        "killed_after_iteration": state["iteration"],
        "of_iterations": 6,
        "same_bits": resumed == whole,
    }


def our_step_s(shards: list[np.ndarray], checkpoints: Path, steps: int) -> float:
    """Seconds a step, from two runs that begin and end alike."""

    def run(count: int) -> float:
        name = f"timed-{time.monotonic_ns()}"
        network = ConvolutionalAutoencoder(input_px=SIDE)
        config = reconstruction_config("cae", CaeSettings(min_steps=0, max_steps=count), seed=0)
        start = time.perf_counter()
        train_cae(worker_of(shards, checkpoints, name), network, config, row_shape=SHAPE)
        return time.perf_counter() - start

    return (run(steps + 1) - run(1)) / steps


def peer_step_s(pixels: torch.Tensor, steps: int) -> float:
    """Seconds a step of the loop that public code has."""
    network = ConvolutionalAutoencoder(input_px=SIDE)
    optimizer = torch.optim.Adamax(network.parameters(), lr=1e-3)
    loader = DataLoader(TensorDataset(pixels), batch_size=128, shuffle=True, drop_last=True)
    batches = chain.from_iterable(repeat(loader))
    start = 0.0
    for step in range(steps + 1):
        if step == 1:
            start = time.perf_counter()
        (x,) = next(batches)
        loss = torch.nn.functional.mse_loss(network(x)[1], x)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        loss.item()
    return (time.perf_counter() - start) / steps


def measure_speed(folder: Path, rounds: int, steps: int) -> dict[str, float]:
    shards = shards_of(folder)
    some = np.concatenate(shards[: max(1, VIRTUAL_SHARDS * 512 // sum(map(len, shards)))])
    pixels = network_input(torch.tensor(some), 3).contiguous()
    pairs = [
        (our_step_s(shards, folder / "checkpoints", steps), peer_step_s(pixels, steps))
        for _ in range(rounds)
    ]
    return {
        "our_images_s": 128 / statistics.median(ours for ours, _ in pairs),
        "peer_images_s": 128 / statistics.median(peer for _, peer in pairs),
        "times_faster": statistics.median(peer / ours for ours, peer in pairs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=8_446)
    parser.add_argument("--steps", type=int, default=4, help="of pre-training and of refinement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--refine", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--name", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    if args.train:
        whole_training(args.train, args.steps)
        return
    if args.refine:
        refinement(args.refine, args.name, args.images)
        return
    with tempfile.TemporaryDirectory(prefix="artcluster-dcec-") as scratch:
        folder = Path(scratch)
        write_pictures(folder, args.images)
        report: dict[str, Any] = {
            "work": f"{args.images} pictures of {SIDE}², batches of 128, k = {CLUSTERS}",
            "machine": {
                "processor": platform.processor() or platform.machine(),
                "threads": torch.get_num_threads(),
                "load": os.getloadavg()[0],
                "torch": torch.__version__,
            },
            "training": answer(child("--train", str(folder), "--steps", str(args.steps))),
            "resume": measure_resume(folder, min(args.images, 264)),
            "speed": measure_speed(folder, args.rounds, args.steps),
        }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=1) + "\n")
    print(report["work"])
    for part in ("training", "resume", "speed"):
        for key, value in report[part].items():
            print(
                f"{part:>9} {key:<24} {value:,.2f}"
                if isinstance(value, float)
                else f"{part:>9} {key:<24} {value}"
            )


if __name__ == "__main__":
    main()
