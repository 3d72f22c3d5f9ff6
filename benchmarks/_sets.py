"""Labelled vectors that benchmarks cluster: real pictures as a run embeds them, and digits."""

import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits

from artcluster.embedders import load, prepare
from artcluster.images.policy import PixelPolicy
from artcluster.images.sandbox.decoder import Decoder

ROOT = Path(__file__).parent.parent
UNSORTED = ("unsorted", "special", "buttons")
LEAST_SIDE_PX = 200
LabelledPicture = tuple[Path, str]


@dataclass(frozen=True)
class LabelledVectors:
    """Vectors and a label each; as many clusters are sought as there are labels."""

    name: str
    x_ND: np.ndarray
    labels: Sequence[str]

    @property
    def k(self) -> int:
        return len(set(self.labels))


def digits() -> LabelledVectors:
    """Return scikit-learn's handwritten digits, pixels from 0 to 1."""
    loaded = load_digits()
    x_ND = (loaded.data / 16).astype(np.float32)
    return LabelledVectors("digits", x_ND, [str(each) for each in loaded.target])


def demo_archive() -> Iterator[LabelledPicture]:
    """Yield the demo archive's pictures by genre."""
    archive = ROOT / "examples" / "demo-archive"
    with (archive / "metadata.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield archive / "images" / row["path"], row["genre"]


def stellarium(folder: Path) -> Iterator[LabelledPicture]:
    """Yield paintings of constellations by sky culture: Debian's `stellarium-data`, unpacked."""
    for path in sorted(folder.rglob("skycultures/*/**/*.png")):
        yield path, path.parts[path.parts.index("skycultures") + 1]


def openclipart(folder: Path) -> Iterator[LabelledPicture]:
    """Yield large drawings by category: Debian's `openclipart-png`, unpacked."""
    (base,) = folder.rglob("openclipart/png")
    for path in sorted(base.rglob("*.png")):
        category = path.relative_to(base).parts[0]
        if category not in UNSORTED and _large_enough(path):
            yield path, category


def embedded(
    name: str, pictures: Callable[[], Iterator[LabelledPicture]], keep: Path | None = None
) -> LabelledVectors:
    """Return MobileNetV2's vectors of distinct pictures, as `keep` has them or made and kept."""
    path = keep / f"{name}.npz" if keep else None
    if path is None or not path.exists():
        x_ND, labels = _embed(list(distinct(pictures())))
        if path is None:
            return LabelledVectors(name, x_ND, labels)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, x=x_ND, labels=np.array(labels))
    with np.load(path) as found:
        return LabelledVectors(name, found["x"], found["labels"].tolist())


def _large_enough(path: Path) -> bool:
    try:
        with Image.open(path) as picture:
            return min(picture.size) >= LEAST_SIDE_PX
    except (OSError, Image.DecompressionBombError):
        return False


def distinct(pictures: Iterator[LabelledPicture]) -> Iterator[LabelledPicture]:
    """Leave out pictures that came before."""
    seen: set[bytes] = set()
    for path, label in pictures:
        content = hashlib.sha256(path.read_bytes()).digest()
        if content not in seen:
            seen.add(content)
            yield path, label


def _embed(pictures: Sequence[LabelledPicture]) -> tuple[np.ndarray, list[str]]:
    policy = PixelPolicy()
    contract, state = prepare(
        "mobilenet_v2", pixel_policy_id=policy.policy_id, fit=policy.fit, weights="package"
    )
    embedder = load(contract, state, device="cpu", threads=torch.get_num_threads())
    vectors, labels = [], []
    with Decoder(policy, embedder.input_px) as decoder:
        for start in range(0, len(pictures), 64):
            some = pictures[start : start + 64]
            decoded = decoder.decode([path.read_bytes() for path, _ in some])
            vectors.append(embedder(decoded.pixels_NHWC))
            labels += [some[place][1] for place in decoded.accepted]
    return np.concatenate(vectors), labels
