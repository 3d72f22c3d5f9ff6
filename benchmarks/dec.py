"""DEC's training on 79,000 clustered vectors of 1,024 numbers, against the machine's sgemm.

Work: one epoch of refinement as DELIUS has it (batches of 256, t = 140), through `train_dec`: the
vectors copied to their place, 309 steps, and every refresh of the target over all vectors. Its
floating-point operations are those of the matrix products that the method needs (no gradient of the
input, nothing for activations, Adam or the assignment), so the rate can only be understated.

Limit: square float32 matrix products on the same threads, timed before and after each epoch.

Peer: the loop that public DEC code has: a DataLoader of single rows, Adam as it comes, loss.item()
at every step. Its steps are timed beside ours.

With a GPU, also the whole training: 200 epochs of pre-training, then k-means and DEC to its end.
"""

import argparse
import json
import os
import platform
import statistics
import time
from itertools import chain, pairwise, repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from artcluster.clustering.dec import kl_divergence_sum, soft_assignment, target_distribution
from artcluster.clustering.encoder import DenseAutoencoder, encode, encoder_from_state
from artcluster.clustering.kmeans.kmeans import kmeans
from artcluster.config import ClusterSettings, DecSettings, from_settings
from artcluster.training.autoencoders import pretrain_autoencoder
from artcluster.training.batches import cut_into_shards
from artcluster.training.dec import train_dec
from artcluster.training.refinement import DecConfig
from artcluster.training.solo import SoloWorker
from artcluster.workflows.clustering.methods.dec import pretraining_config

WIDTHS = (1024, 500, 500, 2000, 10)
CLUSTERS = 10
RESULT = Path(__file__).parent / "results" / "dec.json"


def clustered_vectors(rows: int) -> np.ndarray:
    """Ten groups of non-negative vectors, as a backbone's pooled features are."""
    generator = np.random.default_rng(0)
    centres = np.abs(generator.normal(size=(CLUSTERS, WIDTHS[0])))
    x_ND = generator.standard_normal((rows, WIDTHS[0]), dtype=np.float32) * np.float32(0.5)
    for start in range(0, rows, 4096):
        group = generator.integers(0, CLUSTERS, size=len(x_ND[start : start + 4096]))
        x_ND[start : start + 4096] += centres[group].astype(np.float32)
    return np.maximum(x_ND, 0, out=x_ND)


def epoch_flop(rows: int, refreshes: int) -> float:
    """Multiplications and additions of the matrix products of an epoch's steps and refreshes."""
    layers = [2.0 * a * b for a, b in pairwise(WIDTHS)]
    return rows * (3 * sum(layers) - layers[0]) + refreshes * rows * sum(layers)


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def sgemm_flop_s(device: torch.device, seconds: float) -> float:
    """Mean rate of square matrix products over a window."""
    size = 2048
    a, b, out = (torch.randn(size, size, device=device) for _ in range(3))
    torch.mm(a, b, out=out)
    synchronize(device)
    start = time.perf_counter()
    count = 0
    while time.perf_counter() - start < seconds:
        torch.mm(a, b, out=out)
        synchronize(device)
        count += 1
    return count * 2.0 * size**3 / (time.perf_counter() - start)


def seeds_for(x_ND: np.ndarray, autoencoder: DenseAutoencoder) -> np.ndarray:
    codes = encode(autoencoder.encoder, x_ND[:8192], device=torch.device("cpu"))
    return kmeans(codes, CLUSTERS, restarts=1).centroids_KD


def peer_step_s(x_ND: np.ndarray, centroids_KD: np.ndarray, steps: int) -> float:
    """Seconds a step of the loop that public DEC code has."""
    autoencoder = DenseAutoencoder(WIDTHS)
    centroids = torch.nn.Parameter(torch.tensor(centroids_KD))
    encoder = autoencoder.encoder
    optimizer = torch.optim.Adam([*encoder.parameters(), centroids], lr=1e-3)
    loader = DataLoader(TensorDataset(torch.from_numpy(x_ND)), batch_size=256, shuffle=True)
    batches = chain.from_iterable(repeat(loader))
    start = 0.0
    for step in range(steps + 3):
        if step == 3:
            start = time.perf_counter()
        (x,) = next(batches)
        q = soft_assignment(encoder(x), centroids)
        loss = kl_divergence_sum(target_distribution(q).detach(), q) / len(q)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        loss.item()
    return (time.perf_counter() - start) / steps


def dec_config(**changes: Any) -> DecConfig:
    """Return the defaults of DEC, for a fixed number of steps."""
    return from_settings(DecConfig, DecSettings(), seed=0, **({"tolerance": 0.0} | changes))


def our_step_s(x_ND: np.ndarray, autoencoder: DenseAutoencoder, seeds: np.ndarray) -> float:
    """Seconds a step of ours, from two runs whose refreshes are alike."""

    def run(steps: int) -> float:
        config = dec_config(max_iterations=steps, refresh_every=10**6)
        start = time.perf_counter()
        train_dec(SoloWorker([x_ND]), autoencoder.state_dict(), seeds, config)
        return time.perf_counter() - start

    few, many = 5, 45
    return (run(many) - run(few)) / (many - few)


def measure_epochs(x_ND: np.ndarray, device: torch.device, rounds: int) -> dict[str, Any]:
    shards = cut_into_shards(x_ND)
    autoencoder = DenseAutoencoder(WIDTHS)
    seeds = seeds_for(x_ND, autoencoder)
    steps = -(-len(x_ND) // 256)
    config, warm = dec_config(max_iterations=steps), dec_config(max_iterations=3)
    train_dec(SoloWorker([x_ND[:2048]], device=device), autoencoder.state_dict(), seeds, warm)
    measured = []
    for _ in range(rounds):
        before = sgemm_flop_s(device, 1.5)
        worker = SoloWorker(shards, device=device)
        start = time.perf_counter()
        result = train_dec(worker, autoencoder.state_dict(), seeds, config)
        synchronize(device)
        seconds = time.perf_counter() - start
        after = sgemm_flop_s(device, 1.5)
        rate = epoch_flop(len(x_ND), len(result.history)) / seconds
        measured.append(
            {
                "epoch_s": seconds,
                "refreshes": len(result.history),
                "gflop_s": rate / 1e9,
                "sgemm_gflop_s": [before / 1e9, after / 1e9],
                "share_of_sgemm": rate / ((before + after) / 2),
            }
        )
    return {
        "rounds": measured,
        "share_of_sgemm": statistics.median(round_["share_of_sgemm"] for round_ in measured),
        "epoch_s": statistics.median(round_["epoch_s"] for round_ in measured),
    }


def measure_peer(x_ND: np.ndarray, rounds: int) -> dict[str, float]:
    autoencoder = DenseAutoencoder(WIDTHS)
    seeds = seeds_for(x_ND, autoencoder)
    part = x_ND[:16_384]
    pairs = [
        (our_step_s(part, autoencoder, seeds), peer_step_s(x_ND, seeds, 40)) for _ in range(rounds)
    ]
    return {
        "our_step_ms": statistics.median(ours for ours, _ in pairs) * 1e3,
        "peer_step_ms": statistics.median(peer for _, peer in pairs) * 1e3,
        "times_faster": statistics.median(peer / ours for ours, peer in pairs),
    }


def measure_whole(x_ND: np.ndarray, device: torch.device, epochs: int) -> dict[str, float]:
    """Time pre-training, k-means and DEC to its end."""
    shards = cut_into_shards(x_ND)
    start = time.perf_counter()
    trained = pretrain_autoencoder(
        SoloWorker(shards, device=device),
        pretraining_config(ClusterSettings(pretrain={"epochs": epochs, "min_steps": 0})),
    )
    synchronize(device)
    pretrained = time.perf_counter()
    codes = encode(encoder_from_state(trained.state), x_ND, device=device)
    seeds = kmeans(codes, CLUSTERS, restarts=20).centroids_KD
    seeded = time.perf_counter()
    result = train_dec(
        SoloWorker(shards, device=device),
        trained.state,
        seeds,
        dec_config(tolerance=DecSettings().tolerance),
    )
    synchronize(device)
    end = time.perf_counter()
    return {
        "pretrain_s": pretrained - start,
        "pretrain_steps": trained.steps,
        "seeds_s": seeded - pretrained,
        "dec_s": end - seeded,
        "dec_iterations": result.iterations,
        "whole_s": end - start,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=79_000)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--whole", action="store_true", help="time the whole training on a CPU too")
    parser.add_argument("--epochs", type=int, default=200, help="of pre-training, in the whole")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    x_ND = clustered_vectors(args.rows)
    report: dict[str, Any] = {
        "work": f"{args.rows} x {WIDTHS[0]} vectors, {'-'.join(map(str, WIDTHS))}, batch 256",
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "threads": args.threads,
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "torch": torch.__version__,
        },
        "epoch": measure_epochs(x_ND, device, args.rounds),
    }
    if device.type == "cpu":
        report["peer"] = measure_peer(x_ND, args.rounds)
    if device.type == "cuda" or args.whole:
        report["whole"] = measure_whole(x_ND, device, args.epochs)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=1) + "\n")
    epoch = report["epoch"]
    print(f"{report['work']} on {report['machine']['device']}, {args.threads} threads")
    print(f"{'round':>5} {'epoch s':>8} {'GFLOP/s':>8} {'sgemm before/after':>20} {'share':>6}")
    for number, seen in enumerate(epoch["rounds"]):
        before, after = seen["sgemm_gflop_s"]
        print(
            f"{number:>5} {seen['epoch_s']:>8.2f} {seen['gflop_s']:>8.0f} "
            f"{before:>11.0f} {after:>8.0f} {seen['share_of_sgemm']:>6.2f}"
        )
    for name in ("peer", "whole"):
        for key, value in report.get(name, {}).items():
            print(f"{name} {key}: {value:.2f}")


if __name__ == "__main__":
    main()
