"""k-means: seconds to an inertia, against scikit-learn and FAISS.

Work: three sets of made-up vectors in float32: 79,000 × 10 in groups that overlap and in groups
that do not, 20 restarts each, and 79,000 × 1024, 3 restarts; k = 10.

Peers, timed in turn with ours in one process and on as many threads: scikit-learn's KMeans with its
own defaults and as many restarts; FAISS on all points with k-means++ and as many restarts, stopped
early, once in the round. Inertias are compared after all labels were assigned anew in float64, best
of the restarts; restarts are drawn differently by each, so where there are many optima the best may
differ by luck, and times say nothing without the inertias beside them.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import sklearn
import torch
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from artcluster.clustering.kmeans.kmeans import kmeans

THREADS = 2
RESULT = Path(__file__).parent / "results" / "kmeans.json"
K = 10
CASES = {
    "79,000 × 10, overlapping groups": (79_000, 10, 20, 1.0),
    "79,000 × 10, separate groups": (79_000, 10, 20, 4.0),
    "79,000 × 1024": (79_000, 1024, 3, 0.3),
}


def grouped(n: int, d: int, spread: float) -> np.ndarray:
    generator = np.random.default_rng(0)
    centres = (generator.normal(size=(K, d)) * spread).astype(np.float32)
    x = generator.standard_normal((n, d), dtype=np.float32)
    for start in range(0, n, 4096):
        part = x[start : start + 4096]
        part += centres[generator.integers(K, size=len(part))]
    return x


def ours(x: np.ndarray, restarts: int, seed: int) -> np.ndarray:
    return kmeans(x, K, restarts=restarts, seed=seed, threads=THREADS, gpu=False).centroids_KD


def by_sklearn(x: np.ndarray, restarts: int, seed: int) -> np.ndarray:
    with threadpool_limits(THREADS):
        return KMeans(K, n_init=restarts, random_state=seed).fit(x).cluster_centers_


def by_faiss(x: np.ndarray, restarts: int, seed: int) -> np.ndarray:
    faiss.omp_set_num_threads(THREADS)
    search = faiss.Kmeans(
        x.shape[1],
        K,
        niter=100,
        nredo=restarts,
        seed=seed + 1,
        max_points_per_centroid=len(x),
        init_method=faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS,
        early_stop_threshold=1e-4,
    )
    search.train(x)
    return search.centroids


def inertia(x: np.ndarray, centroids: np.ndarray) -> float:
    total = 0.0
    centres = centroids.astype(np.float64)
    for start in range(0, len(x), 8192):
        part = x[start : start + 8192].astype(np.float64)
        squared = (part**2).sum(1)[:, None] - 2 * part @ centres.T + (centres**2).sum(1)
        total += float(squared.min(1).sum())
    return total


def measure(x: np.ndarray, restarts: int, rounds: int) -> dict[str, Any]:
    peers: dict[str, Callable[[np.ndarray, int, int], np.ndarray]] = {
        "artcluster": ours,
        "scikit-learn": by_sklearn,
        "faiss": by_faiss,
    }
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    inertias: dict[str, list[float]] = {name: [] for name in peers}
    for seed in range(rounds):
        for name, run in peers.items():
            if name == "faiss" and seed:
                continue
            start = time.perf_counter()
            centroids = run(x, restarts, seed)
            seconds[name].append(time.perf_counter() - start)
            inertias[name].append(inertia(x, centroids))
    pairs = zip(seconds["artcluster"], seconds["scikit-learn"], strict=True)
    return {
        "restarts": restarts,
        "seconds": {name: statistics.median(times) for name, times in seconds.items()},
        "inertia": {name: statistics.median(values) for name, values in inertias.items()},
        "inertia_over_sklearn": statistics.median(inertias["artcluster"])
        / statistics.median(inertias["scikit-learn"]),
        "speedup_over_sklearn": [theirs / mine for mine, theirs in pairs],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(THREADS)
    ours(grouped(2000, 8, 1.0), 2, 0)
    cases = {}
    print(
        f"{'':34}{'ours s':>9}{'sklearn s':>11}{'faiss s':>9}{'speed-up':>10}{'inertia':>10}"
        f"{'of faiss':>10}"
    )
    for name, (n, d, restarts, spread) in CASES.items():
        found = measure(grouped(n, d, spread), restarts, rounds)
        cases[name] = found
        times = found["seconds"]
        print(
            f"{name:34}{times['artcluster']:9.2f}{times['scikit-learn']:11.2f}"
            f"{times['faiss']:9.2f}{statistics.median(found['speedup_over_sklearn']):10.2f}"
            f"{found['inertia_over_sklearn']:10.5f}"
            f"{found['inertia']['faiss'] / found['inertia']['scikit-learn']:10.5f}",
            flush=True,
        )
    result = {
        "work": " ".join((__doc__ or "").split()),
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "threads": THREADS,
            "load_before": os.getloadavg()[0],
        },
        "versions": {
            "torch": torch.__version__,
            "scikit-learn": sklearn.__version__,
            "faiss": faiss.__version__,
        },
        "rounds": rounds,
        "cases": cases,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
