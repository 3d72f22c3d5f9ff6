"""Real pictures, and one torch thread."""

import csv
import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

ARCHIVE = Path(__file__).parents[2] / "examples" / "demo-archive"


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine's folder of converted networks, shared by the tests."""
    return tmp_path_factory.mktemp("converted")


@functools.cache
def pictures(
    per_label: int, side_px: int = 224, label: str = "medium"
) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures of each label in the demo archive, read-only as from Ray, and their labels.

    The labels are two media or nine genres.
    """
    labelled: dict[str, list[Path]] = {}
    with (ARCHIVE / "metadata.csv").open() as rows:
        for row in csv.DictReader(rows):
            labelled.setdefault(row[label], []).append(ARCHIVE / "images" / row["path"])
    pixels, labels = [], []
    for name, paths in labelled.items():
        for path in paths[:: len(paths) // per_label][:per_label]:
            image = Image.open(path).convert("RGBA")
            white = Image.new("RGBA", image.size, "white")
            white.alpha_composite(image)
            pixels.append(np.asarray(white.convert("RGB").resize((side_px, side_px))))
            labels.append(name)
    stacked = np.stack(pixels)
    stacked.flags.writeable = False
    return stacked, np.array(labels)
