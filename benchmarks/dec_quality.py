"""What DEC's refinement does to the clusters it begins from, over five seeds.

Work: scikit-learn's digits (1,797 × 64, /16) in 10 clusters, and the demo archive's pictures
(MobileNetV2 features, 1280 numbers) in as many clusters as it has genres. For each seed an
autoencoder is pre-trained, its codes clustered by k-means (the seeds: `ae-kmeans`), and refined by
DEC (`delius`). The guard judges without labels; labels serve this table alone.

Peers: k-means on the vectors themselves. Results in results/dec_quality.json and .md.
"""

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from artcluster.clustering.dec import soft_assignment
from artcluster.clustering.encoder import encode, encoder_from_state
from artcluster.clustering.guard import PartitionQuality, guard
from artcluster.clustering.kmeans.kmeans import kmeans
from artcluster.config import ClusterSettings, DecSettings, PretrainSettings, from_settings
from artcluster.metrics.agreement import cluster_sizes, label_agreement
from artcluster.metrics.silhouette import silhouette
from artcluster.training.autoencoders import PretrainConfig, pretrain_autoencoder
from artcluster.training.batches import cut_into_shards
from artcluster.training.dec import train_dec
from artcluster.training.refinement import DecConfig
from artcluster.training.solo import SoloWorker
from artcluster.workflows.clustering.methods.dec import pretraining_config
from benchmarks._sets import LabelledVectors, demo_archive, digits, embedded

RESULT = Path(__file__).parent / "results" / "dec_quality.json"
CPU = torch.device("cpu")


def quality(
    data: LabelledVectors, z_ND: np.ndarray, labels_N: np.ndarray, input_silhouette: float
) -> dict[str, float | None]:
    """Return what the table shows; None where it is not defined, as for a single cluster."""
    agreement = label_agreement(labels_N, data.labels)
    found = {
        "accuracy": agreement.accuracy,
        "nmi": agreement.nmi,
        "ari": agreement.ari,
        "non_empty": np.count_nonzero(np.bincount(labels_N)),
        "own_silhouette": silhouette(z_ND, labels_N),
        "input_silhouette": input_silhouette,
    }
    return {name: float(value) if np.isfinite(value) else None for name, value in found.items()}


def one_seed(data: LabelledVectors, config: PretrainConfig, max_iterations: int) -> dict[str, Any]:
    start = time.perf_counter()
    shards = cut_into_shards(data.x_ND)
    autoencoder = pretrain_autoencoder(SoloWorker(shards), config)
    pretrained = time.perf_counter()
    codes = encode(encoder_from_state(autoencoder.state), data.x_ND, device=CPU)
    seeds = kmeans(codes, data.k, restarts=20, seed=config.seed)
    refined = train_dec(
        SoloWorker(shards),
        autoencoder.state,
        seeds.centroids_KD,
        from_settings(DecConfig, DecSettings(), seed=config.seed, max_iterations=max_iterations),
    )
    z_ND = encode(encoder_from_state(refined.encoder), data.x_ND, device=CPU)
    q_NK = soft_assignment(torch.from_numpy(z_ND), torch.from_numpy(refined.centroids_KD))
    labels_N = q_NK.argmax(dim=1).numpy()
    before, after = (silhouette(data.x_ND, labels) for labels in (seeds.labels_N, labels_N))
    verdict = guard(
        PartitionQuality(cluster_sizes(seeds.labels_N, data.k).tolist(), before),
        PartitionQuality(cluster_sizes(labels_N, data.k).tolist(), after),
        silhouette_margin=DecSettings().guard_margin,
    )
    return {
        "seed": config.seed,
        "initialisation": config.initialisation,
        "seeds": quality(data, codes, seeds.labels_N, before),
        "refined": quality(data, z_ND, labels_N, after),
        "kept": verdict.keep_refinement,
        "reasons": list(verdict.reasons),
        "reconstruction": autoencoder.losses[-1],
        "steps": autoencoder.steps,
        "iterations": refined.iterations,
        "converged": refined.converged,
        "pretrain_s": pretrained - start,
        "refine_s": time.perf_counter() - pretrained,
    }


def peer(data: LabelledVectors, seed: int) -> dict[str, float | None]:
    found = kmeans(data.x_ND, data.k, restarts=20, seed=seed)
    own = silhouette(data.x_ND, found.labels_N)
    return quality(data, data.x_ND, found.labels_N, own)


HEADINGS = ("accuracy", "nmi", "ari", "own_silhouette", "input_silhouette", "non_empty")


def row(name: str, found: dict[str, float | None], verdict: str = "") -> str:
    numbers = []
    for key in HEADINGS:
        digits_shown = 1 if key == "non_empty" else 3
        value = found[key]
        numbers.append("–" if value is None else f"{value:.{digits_shown}f}")
    return "| " + " | ".join([name, *numbers, verdict]) + " |"


def mean(runs: list[dict[str, Any]], stage: str, key: str) -> float | None:
    values = [run[stage][key] for run in runs if run[stage][key] is not None]
    return statistics.mean(values) if values else None


def table(report: dict[str, Any]) -> str:
    lines = ["# DEC's refinement against its seeds", "", report["work"], ""]
    for name, part in report["data"].items():
        lines += [
            f"## {name}: {part['rows']} × {part['dim']}, k = {part['k']}",
            "",
            "| method | accuracy | NMI | ARI | silhouette, own space | silhouette, input space "
            "| non-empty clusters | guard |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for seed, found in enumerate(part["kmeans"]):
            lines.append(row(f"k-means, seed {seed}", found))
        for run in part["runs"]:
            label = f"{run['initialisation']}, seed {run['seed']}"
            verdict = "kept" if run["kept"] else "refused: " + "; ".join(run["reasons"])
            lines.append(row(f"seeds ({label})", run["seeds"]))
            lines.append(row(f"DEC ({label})", run["refined"], verdict))
        for initialisation in sorted({run["initialisation"] for run in part["runs"]}):
            runs = [run for run in part["runs"] if run["initialisation"] == initialisation]
            for stage in ("seeds", "refined"):
                means = {key: mean(runs, stage, key) for key in HEADINGS}
                label = f"mean of {len(runs)}, {stage}, {initialisation}"
                lines.append(row(f"**{label}**", means))
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--paper-seeds", type=int, default=2, help="with the papers' weights")
    parser.add_argument("--min-steps", type=int, default=PretrainSettings().min_steps)
    parser.add_argument("--epochs", type=int, default=PretrainSettings().epochs)
    parser.add_argument("--max-iterations", type=int, default=DecSettings().max_iterations)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--data", choices=["digits", "demo archive"], help="one of them alone")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    report: dict[str, Any] = {
        "work": (
            f"{args.seeds} seeds; {args.epochs} epochs of pre-training, or {args.min_steps} steps "
            "if that is more; k-means with 20 restarts; DEC with t = 140, δ = 0.001"
        ),
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "threads": args.threads,
            "torch": torch.__version__,
        },
        "data": {},
    }
    budget = {"epochs": args.epochs, "min_steps": args.min_steps}
    runs = [
        pretraining_config(
            ClusterSettings(seed=seed, pretrain=budget, dec={"initialisation": initialisation})
        )
        for initialisation, seeds in (("glorot", args.seeds), ("normal-0.01", args.paper_seeds))
        for seed in range(seeds)
    ]
    for data in (digits(), embedded("demo archive", demo_archive)):
        if args.data not in (None, data.name):
            continue
        part: dict[str, Any] = {
            "rows": len(data.x_ND),
            "dim": data.x_ND.shape[1],
            "k": data.k,
            "kmeans": [peer(data, seed) for seed in range(args.seeds)],
            "runs": [],
        }
        report["data"][data.name] = part
        for config in runs:
            found = one_seed(data, config, args.max_iterations)
            part["runs"].append(found)
            seconds = found["pretrain_s"] + found["refine_s"]
            print(
                f"{data.name}, {config.initialisation}, seed {config.seed}: {seconds:.0f} s",
                flush=True,
            )
            RESULT.parent.mkdir(exist_ok=True)
            RESULT.write_text(json.dumps(report, indent=1) + "\n")
            RESULT.with_suffix(".md").write_text(table(report))
    print(table(report))


if __name__ == "__main__":
    main()
