"""The exact silhouette of 10,000 points against scikit-learn.

Work: 10,000 × 10 and 10,000 × 128 made-up vectors in ten groups, in float32. Both compute every
point's silhouette from all distances, in turn, in one process, on as many threads; the difference
is taken from scikit-learn's in float64.
"""

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path

import numpy as np
import sklearn
import torch
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

from artcluster.metrics.silhouette import silhouette

THREADS = 2
RESULT = Path(__file__).parent / "results" / "silhouette.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(THREADS)
    cases = {}
    print(f"{'':16}{'ours s':>9}{'sklearn s':>11}{'speed-up':>10}{'difference':>12}")
    for d in (10, 128):
        generator = np.random.default_rng(0)
        labels = generator.integers(10, size=10_000)
        centres = generator.normal(size=(10, d)) * 2
        x = (centres[labels] + generator.normal(size=(10_000, d))).astype(np.float32)
        ours, theirs = [], []
        for _ in range(rounds):
            start = time.perf_counter()
            value = silhouette(x, labels)
            ours.append(time.perf_counter() - start)
            start = time.perf_counter()
            with threadpool_limits(THREADS):
                silhouette_score(x, labels)
            theirs.append(time.perf_counter() - start)
        difference = abs(value - float(silhouette_score(x.astype(np.float64), labels)))
        speedups = [peer / mine for mine, peer in zip(ours, theirs, strict=True)]
        name = f"10,000 × {d}"
        cases[name] = {
            "seconds": {
                "artcluster": statistics.median(ours),
                "scikit-learn": statistics.median(theirs),
            },
            "speedup": speedups,
            "difference": difference,
        }
        print(
            f"{name:16}{statistics.median(ours):9.3f}{statistics.median(theirs):11.3f}"
            f"{statistics.median(speedups):10.2f}{difference:12.1e}"
        )
    result = {
        "work": " ".join((__doc__ or "").split()),
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "threads": THREADS,
            "load_before": os.getloadavg()[0],
        },
        "versions": {"torch": torch.__version__, "scikit-learn": sklearn.__version__},
        "rounds": rounds,
        "cases": cases,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
