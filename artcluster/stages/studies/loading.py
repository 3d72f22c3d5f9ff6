"""Squares of a study, and altered copies of them, where a worker trains on them."""

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from artcluster.images.augment import augmented
from artcluster.stages.studies.pieces import Pieces
from artcluster.store import Store
from artcluster.training.batches import shard_bounds


@dataclass(frozen=True)
class Copy:
    """An altered copy.

    Attributes:
        piece: Number of the square.
        copy: Number of the copy of this square.
    """

    piece: int
    copy: int


@dataclass(frozen=True)
class LoadPieces:
    """Loads some squares, then copies of squares, into one mapped temporary file. Picklable.

    Attributes:
        store: Where the chunks lie.
        rows: Path of a chunk and rows of it, in the order wanted.
        copies: Path of a chunk, a row of it, and the seed of the copy.
        side_px: Side of the squares.
    """

    store: Store
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    copies: tuple[tuple[str, int, tuple[int, ...]], ...]
    side_px: int

    def __call__(self) -> np.ndarray:
        """Return uint8 (N, side, side, 3); the file goes with the process."""
        count = sum(len(rows) for _, rows in self.rows) + len(self.copies)
        shape = (count, self.side_px, self.side_px, 3)
        if not count:
            return np.empty(shape, np.uint8)
        opened: dict[str, np.ndarray] = {}
        with tempfile.TemporaryFile(prefix="artcluster-pixels-") as file:
            loaded = np.memmap(file, np.uint8, mode="w+", shape=shape)
        filled = 0
        for path, rows in self.rows:
            some = self._open(opened, path)[list(rows)]
            loaded[filled : filled + len(some)] = some
            filled += len(some)
        for path, row, seed in self.copies:
            loaded[filled] = augmented(self._open(opened, path)[row], seed)
            filled += 1
        return loaded

    def _open(self, opened: dict[str, np.ndarray], path: str) -> np.ndarray:
        """Return a chunk, and forget the one before: they are asked for in order."""
        if path not in opened:
            opened.clear()
            if self.store.location.is_local:
                opened[path] = np.load(Path(self.store.location.uri, path), mmap_mode="r")
            else:
                opened[path] = np.load(io.BytesIO(self.store.read_bytes(path)))
        return opened[path]


def load_shards(
    store: Store,
    pieces: Pieces,
    numbers: np.ndarray,
    side_px: int,
    copies: Sequence[Copy] = (),
    seed: int = 0,
) -> list[LoadPieces]:
    """Cut squares and copies into virtual shards of one length.

    Args:
        store: Where the chunks lie.
        pieces: All squares.
        numbers: Which of them, increasing.
        side_px: Their side.
        copies: Copies of some, after them, in the order of the squares.
        seed: Seeds the copies.
    """
    total = len(numbers) + len(copies)
    bounds = shard_bounds(total).tolist()
    shards = []
    for start, stop in pairwise(bounds):
        own = numbers[start:stop]
        made = copies[max(0, start - len(numbers)) : max(0, stop - len(numbers))]
        rows = []
        for chunk in np.unique(pieces.chunk_N[own]):
            here = own[pieces.chunk_N[own] == chunk]
            rows.append((pieces.chunks[chunk], tuple(pieces.row_N[here].tolist())))
        shards.append(
            LoadPieces(
                store,
                tuple(rows),
                tuple(
                    (
                        pieces.chunks[pieces.chunk_N[each.piece]],
                        int(pieces.row_N[each.piece]),
                        (seed, each.piece, each.copy),
                    )
                    for each in made
                ),
                side_px,
            )
        )
    return shards


def load_numbers(store: Store, pieces: Pieces, numbers: Sequence[int], side_px: int) -> np.ndarray:
    """Load some squares, in the order given, uint8 (N, side, side, 3)."""
    rows = tuple((pieces.chunks[pieces.chunk_N[n]], (int(pieces.row_N[n]),)) for n in numbers)
    return LoadPieces(store, rows, (), side_px)()
