"""Methods beyond the papers against k-means and UMAP, on four real sets of pictures.

Work: vectors are clustered into as many clusters as there are labels, over several seeds. Measured
are accuracy under the best one-to-one mapping, NMI and ARI against the labels, each a mean over the
seeds; stability, the mean ARI of all pairs of seeds; non-empty clusters; seconds a fit. Labels
serve the measures alone. The sets:

- the demo archive by genre, and (scikit-learn) handwritten digits as pixels;
- `--stellarium DIR`: paintings of constellations by sky culture, the Debian package
  `stellarium-data`, unpacked;
- `--openclipart DIR`: drawings of at least 200 pixels a side by their category, the Debian package
  `openclipart-png`, unpacked.

Pictures are embedded by MobileNetV2 as a run does; `--vectors DIR` keeps their vectors.

Peers: k-means, the same on vectors of length one, and UMAP to 10 dimensions (15 neighbours, least
distance 0, cosine) followed by k-means. Results in results/beyond.json.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

from artcluster.clustering.kmeans.kmeans import kmeans
from artcluster.estimator import Clusterer
from artcluster.metrics.agreement import adjusted_rand_index, contingency, label_agreement
from benchmarks._sets import (
    LabelledVectors,
    demo_archive,
    digits,
    embedded,
    openclipart,
    stellarium,
)

RESULT = Path(__file__).parent / "results" / "beyond.json"
TEMI = {"temi.heads": 8, "temi.steps": 1000}


def ours(method: str, **settings: Any) -> Callable[[np.ndarray, int, int], np.ndarray]:
    def fit(x_ND: np.ndarray, k: int, seed: int) -> np.ndarray:
        clusterer = Clusterer(k, method=method, random_state=seed, settings=settings)
        return np.asarray(clusterer.fit_predict(x_ND))

    return fit


def umap_kmeans(x_ND: np.ndarray, k: int, seed: int) -> np.ndarray:
    from umap import UMAP

    layout = UMAP(
        n_components=10, n_neighbors=15, min_dist=0, metric="cosine", random_state=seed, n_jobs=1
    )
    z_ND = np.ascontiguousarray(layout.fit_transform(x_ND), np.float32)
    return kmeans(z_ND, k, restarts=20, seed=seed).labels_N


METHODS: Mapping[str, Callable[[np.ndarray, int, int], np.ndarray]] = {
    "kmeans": ours("kmeans"),
    "kmeans, unit length": ours("kmeans", scaling="unit"),
    "UMAP + kmeans": umap_kmeans,
    "spherical-kmeans": ours("spherical-kmeans"),
    "hierarchy": ours("hierarchy"),
    "temi": ours("temi", **TEMI),
    "consensus": ours("consensus"),
}


def measure(name: str, data: LabelledVectors, seeds: int) -> dict[str, Any]:
    began = time.perf_counter()
    found = [METHODS[name](data.x_ND, data.k, seed) for seed in range(seeds)]
    seconds = (time.perf_counter() - began) / seeds
    agreements = [label_agreement(each, data.labels) for each in found]
    pairs = combinations(found, 2)
    means = {
        measured: statistics.mean(getattr(each, measured) for each in agreements)
        for measured in ("accuracy", "nmi", "ari", "non_empty")
    }
    spread = statistics.pstdev(each.nmi for each in agreements)
    stability = statistics.mean(adjusted_rand_index(contingency(*pair)) for pair in pairs)
    return means | {"nmi_spread": spread, "stability": stability, "seconds": seconds}


def table(report: dict[str, Any]) -> str:
    lines = []
    for name, part in report["data"].items():
        lines += [
            f"\n{name}: {part['rows']} × {part['dim']}, k = {part['k']}\n",
            "| method | accuracy | NMI | ARI | stability | non-empty | seconds |",
            "|---|---|---|---|---|---|---|",
        ]
        for method, found in part["methods"].items():
            lines.append(
                f"| {method} | {found['accuracy']:.3f} | {found['nmi']:.3f} "
                f"± {found['nmi_spread']:.3f} | {found['ari']:.3f} | {found['stability']:.3f} | "
                f"{found['non_empty']:.1f} | {found['seconds']:.1f} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--stellarium", type=Path, help="where stellarium-data was unpacked")
    parser.add_argument("--openclipart", type=Path, help="where openclipart-png was unpacked")
    parser.add_argument("--vectors", type=Path, help="keeps vectors, or has them already")
    parser.add_argument("--data", action="append", help="this set alone; may be repeated")
    parser.add_argument("--method", action="append", help="this method alone; may be repeated")
    parser.add_argument("--out", type=Path, default=RESULT, help="goes on with what is there")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    sources: dict[str, Callable[[], LabelledVectors]] = {
        "demo": lambda: embedded("demo", demo_archive, args.vectors),
        "digits": digits,
    }
    for name, pictures in (("stellarium", stellarium), ("openclipart", openclipart)):
        folder = getattr(args, name)
        if folder:
            sources[name] = partial(embedded, name, partial(pictures, folder), args.vectors)
    report: dict[str, Any] = {"data": {}}
    if args.out.exists() and (args.data or args.method):
        report = json.loads(args.out.read_text())
    report |= {
        "work": f"{args.seeds} seeds; k-means with 20 restarts; temi with {TEMI}",
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "threads": args.threads,
            "torch": torch.__version__,
        },
    }
    for name, make in sources.items():
        if args.data and name not in args.data:
            continue
        data = make()
        part = report["data"].setdefault(name, {"methods": {}})
        part |= {"rows": len(data.x_ND), "dim": data.x_ND.shape[1], "k": data.k}
        for method in METHODS:
            if args.method and method not in args.method:
                continue
            part["methods"][method] = measure(method, data, args.seeds)
            part["methods"] = {
                each: part["methods"][each] for each in METHODS if each in part["methods"]
            }
            print(f"{name}, {method}: {part['methods'][method]}", flush=True)
            args.out.parent.mkdir(exist_ok=True)
            args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))


if __name__ == "__main__":
    main()
