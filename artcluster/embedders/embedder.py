"""What every embedder offers."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np


class Embedder(Protocol):
    """Maps pixels to vectors."""

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        ...

    @property
    def input_px(self) -> tuple[int, int]:
        """Height and width of the pixels it takes."""
        ...

    @property
    def engine(self) -> Mapping[str, str]:
        """Engine, versions and device, to be recorded beside the contract."""
        ...

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Map uint8 (N, H, W, 3), which may be read-only, to float32 (N, dim)."""
        ...
