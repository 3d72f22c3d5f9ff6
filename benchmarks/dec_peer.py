"""DEC and IDEC against ClustPy's on the same vectors: seconds an epoch, and NMI at the end.

Work: vectors scaled to a mean square of one, a dense autoencoder D-500-500-2000-10, batches of 256,
pre-training and clustering for as many epochs each. Seconds an epoch of clustering come from two
fits whose epochs differ, ours and theirs in turn; NMI is a mean over seeds, against labels that
neither sees. Both compute in this process with the same torch and threads.

Semantics that differ: ClustPy's target is that of the batch at every step, ours that of all
vectors every 140 iterations, as the papers have it, whose refreshes are in our seconds; its Adam
clusters at a rate of 0.0001 where ours has DELIUS's 0.001; its activation is LeakyReLU, ours ReLU.
IDEC adds the reconstruction: weights 1 of it and 0.1 of the clustering in both.

Peer: `uv pip install --no-deps --target DIR clustpy==0.0.3`, then `--clustpy DIR`.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from artcluster.clustering.encoder import DenseAutoencoder, encode, encoder_from_state
from artcluster.clustering.kmeans.kmeans import kmeans
from artcluster.config import ClusterSettings, from_settings
from artcluster.metrics.agreement import label_agreement
from artcluster.training.autoencoders import pretrain_autoencoder
from artcluster.training.batches import cut_into_shards
from artcluster.training.refinement import Clustering, DecConfig, refine
from artcluster.training.solo import SoloWorker
from artcluster.workflows.clustering.methods.dec import pretraining_config
from benchmarks._sets import LabelledVectors, demo_archive, digits, embedded, openclipart

RESULT = Path(__file__).parent / "results" / "dec_peer.json"
HIDDEN = (500, 500, 2000)
BATCH = 256
CPU = torch.device("cpu")
OBJECTIVES: Mapping[str, Mapping[str, float]] = {
    "DEC": {},
    "IDEC": {"clustering_weight": 0.1, "reconstruction_weight": 1.0},
}
Fit = Callable[[int], np.ndarray]
"""Clusters for so many epochs and returns a cluster for each vector."""


def scaled(data: LabelledVectors) -> LabelledVectors:
    factor = 1 / np.sqrt(np.square(data.x_ND).mean())
    return replace(data, x_ND=np.ascontiguousarray(data.x_ND * factor, np.float32))


def ours(data: LabelledVectors, objective: str, seed: int, pretrain_epochs: int) -> Fit:
    """Pre-train our autoencoder."""
    shards = cut_into_shards(data.x_ND)
    settings = ClusterSettings(
        seed=seed,
        pretrain={"epochs": pretrain_epochs, "min_steps": 0},
        dec={"hidden": HIDDEN, "batch_size": BATCH, "tolerance": 0},
    )
    budget = replace(pretraining_config(settings), scaling="none")
    pretrained = pretrain_autoencoder(SoloWorker(shards), budget)

    def fit(epochs: int) -> np.ndarray:
        config = from_settings(
            DecConfig,
            settings.dec,
            max_iterations=epochs * -(-len(data.x_ND) // BATCH),
            seed=seed,
            **OBJECTIVES[objective],
        )
        codes = encode(encoder_from_state(pretrained.state), data.x_ND, device=CPU)
        seeds_KD = kmeans(codes, data.k, restarts=1, seed=seed).centroids_KD
        autoencoder = DenseAutoencoder((data.x_ND.shape[1], *HIDDEN, 10))
        autoencoder.load_state_dict(pretrained.state)
        decoder = autoencoder.decoder if config.reconstruction_weight else None
        refined = refine(
            SoloWorker(shards),
            Clustering(autoencoder.encoder, seeds_KD, code_dim=10, decoder=decoder),
            config,
            stage=objective,
            row_shape=data.x_ND.shape[1:],
            row_dtype=torch.float32,
        )
        z_ND = encode(encoder_from_state(refined.encoder), data.x_ND, device=CPU)
        return np.square(z_ND[:, None] - refined.centroids_KD).sum(axis=2).argmin(axis=1)

    return fit


def theirs(data: LabelledVectors, objective: str, seed: int, pretrain_epochs: int) -> Fit:
    """Pre-train ClustPy's autoencoder."""
    from clustpy import deep
    from clustpy.deep.neural_networks import FeedforwardAutoencoder

    network = FeedforwardAutoencoder([data.x_ND.shape[1], *HIDDEN, 10], random_state=seed)
    network.fit(pretrain_epochs, {"lr": 1e-3}, BATCH, data.x_ND)

    def fit(epochs: int) -> np.ndarray:
        weights = {"ssl_loss_weight": 1.0, "clustering_loss_weight": 0.1}
        clusterer = getattr(deep, objective)(
            data.k,
            batch_size=BATCH,
            clustering_epochs=epochs,
            clustering_optimizer_params={"lr": 1e-4},
            neural_network=network,
            initial_clustering_params={"n_init": 1},
            device=CPU,
            random_state=seed,
            **(weights if objective == "IDEC" else {}),
        )
        clusterer.fit(data.x_ND)
        return np.asarray(clusterer.dec_labels_)

    return fit


def epoch_s(fit: Fit, few: int, many: int) -> float:
    def seconds(epochs: int) -> float:
        start = time.perf_counter()
        fit(epochs)
        return time.perf_counter() - start

    return (seconds(many) - seconds(few)) / (many - few)


def measure(
    data: LabelledVectors, objective: str, args: argparse.Namespace
) -> dict[str, dict[str, float] | float]:
    fits = {
        name: [make(data, objective, seed, args.epochs) for seed in range(args.seeds)]
        for name, make in (("ours", ours), ("clustpy", theirs))
    }
    few = 1
    many = few + max(4, args.timed_steps * BATCH // len(data.x_ND))
    rounds = [
        {name: epoch_s(each[0], few, many) for name, each in fits.items()}
        for _ in range(args.rounds)
    ]
    report: dict[str, dict[str, float] | float] = {
        "times_faster": statistics.median(each["clustpy"] / each["ours"] for each in rounds)
    }
    for name, each in fits.items():
        nmi = [label_agreement(fit(args.epochs), data.labels).nmi for fit in each]
        report[name] = {
            "epoch_s": statistics.median(round_[name] for round_ in rounds),
            "nmi": statistics.mean(nmi),
            "nmi_spread": statistics.pstdev(nmi),
        }
    return report


def table(report: dict[str, Any]) -> str:
    lines = [
        "| vectors | objective | ours, s an epoch | ClustPy | times faster | NMI, ours | ClustPy |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, part in report["data"].items():
        for objective in OBJECTIVES:
            found = part[objective]
            mine, peer = found["ours"], found["clustpy"]
            lines.append(
                f"| {name}, {part['rows']:,} × {part['dim']}, k = {part['k']} | {objective} "
                f"| {mine['epoch_s']:.3f} | {peer['epoch_s']:.3f} | {found['times_faster']:.2f} "
                f"| {mine['nmi']:.3f} ± {mine['nmi_spread']:.3f} "
                f"| {peer['nmi']:.3f} ± {peer['nmi_spread']:.3f} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clustpy", type=Path, help="where ClustPy was installed")
    parser.add_argument("--openclipart", type=Path, help="where openclipart-png was unpacked")
    parser.add_argument("--vectors", type=Path, help="keeps vectors, or has them already")
    parser.add_argument("--data", action="append", help="this set alone; may be repeated")
    parser.add_argument("--epochs", type=int, default=50, help="of pre-training and of clustering")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timed-steps", type=int, default=60, help="about so many in a timed fit")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.clustpy:
        sys.path.append(str(args.clustpy))
    if find_spec("clustpy") is None:
        print("ClustPy is not installed; --help says how")
        return
    sources: dict[str, Callable[[], LabelledVectors]] = {
        "digits": digits,
        "demo": lambda: embedded("demo", demo_archive, args.vectors),
    }
    if args.openclipart:
        pictures = partial(openclipart, args.openclipart)
        sources["openclipart"] = lambda: embedded("openclipart", pictures, args.vectors)
    report: dict[str, Any] = {"data": {}}
    if args.data and RESULT.exists():
        report = json.loads(RESULT.read_text())
    report |= {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "torch": torch.__version__,
        },
    }
    for name, make in sources.items():
        if args.data and name not in args.data:
            continue
        data = scaled(make())
        found = {objective: measure(data, objective, args) for objective in OBJECTIVES}
        report["data"][name] = {
            "epochs": args.epochs,
            "seeds": args.seeds,
            "threads": args.threads,
            "load": os.getloadavg()[0],
            "rows": len(data.x_ND),
            "dim": data.x_ND.shape[1],
            "k": data.k,
        } | found
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))


if __name__ == "__main__":
    main()
