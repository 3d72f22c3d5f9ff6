"""An index of vectors on disk: FAISS's inverted lists, memory-mapped, of which a query reads few.

Vectors are scaled to length one and compared by the cosine. Memory is what a query touches: lists
are mapped, not loaded, so that an index may be larger than memory; it must lie on a local disk.
"""

import ctypes
import json
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from artcluster.clustering.chunks import unit_rows
from artcluster.errors import UsageError
from artcluster.store.members import Ids, as_keys

NO_KEY = b""


@dataclass(frozen=True)
class Nearest:
    """The contents nearest to each query so far, best first.

    Attributes:
        keys_QK: content_ids as bytes; `NO_KEY` where there are fewer.
        cosine_QK: Cosine of the angle to the query, float32; -inf where there are fewer.
    """

    keys_QK: np.ndarray
    cosine_QK: np.ndarray

    @classmethod
    def none(cls, queries: int, top: int) -> "Nearest":
        """Return what is known before anything was compared."""
        return cls(np.full((queries, top), NO_KEY, "S64"), np.full((queries, top), -np.inf, "f4"))

    def merged(self, keys_QM: np.ndarray, cosine_QM: np.ndarray) -> "Nearest":
        """Return the best of both; a content that is in both counts once."""
        top = self.keys_QK.shape[1]
        keys = np.concatenate([self.keys_QK, keys_QM.astype("S64")], axis=1)
        cosine = np.concatenate([self.cosine_QK, cosine_QM.astype("f4")], axis=1)
        by_key = np.lexsort((-cosine, keys), axis=1)
        keys, cosine = (np.take_along_axis(each, by_key, 1) for each in (keys, cosine))
        again = np.zeros(keys.shape, bool)
        again[:, 1:] = keys[:, 1:] == keys[:, :-1]
        cosine[again | (keys == NO_KEY)] = -np.inf
        # Equal cosines stand in the order of their keys, so that the same search answers the same.
        best = np.argsort(-cosine, axis=1, kind="stable")[:, :top]
        keys, cosine = (np.take_along_axis(each, best, 1) for each in (keys, cosine))
        keys[np.isneginf(cosine)] = NO_KEY
        return Nearest(keys, cosine)


def nearest_exact(
    queries_QD: np.ndarray,
    blocks: Iterable[tuple[Ids, np.ndarray]],
    top: int,
    so_far: Nearest | None = None,
) -> Nearest:
    """Compare queries with every vector.

    Args:
        queries_QD: float32, rows of length one.
        blocks: content_ids and vectors of any length, a block at a time.
        top: Neighbours wanted for each query.
        so_far: What was found elsewhere; None for nothing.
    """
    found = so_far or Nearest.none(len(queries_QD), top)
    for ids, x_ND in blocks:
        cosine_QN = queries_QD @ unit_rows(x_ND).T
        kept = min(top, cosine_QN.shape[1])
        best_QK = np.argpartition(-cosine_QN, kept - 1, axis=1)[:, :kept]
        found = found.merged(as_keys(ids)[best_QK], np.take_along_axis(cosine_QN, best_QK, 1))
    return found


_LOCK = threading.Lock()


@contextmanager
def quiet_stdout() -> Iterator[None]:
    """Throw away what native code writes to standard output within the block.

    FAISS tells there which file it maps, where --json promises JSON alone.
    """
    with _LOCK:
        sys.stdout.flush()
        kept = os.dup(1)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 1)
            yield
            # What the C library holds back would come out later.
            ctypes.CDLL(None).fflush(None)
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            os.close(nowhere)


LAYOUT, INDEX, LISTS, KEYS, PROBES, FACTS = (
    "layout.faiss",
    "index.faiss",
    "lists.ivfdata",
    "contents.bin",
    "queries.npz",
    "facts.json",
)
"""Files of an index: centroids alone, centroids with the name of the lists' file, lists,
content_ids in the order of numbers, the queries that recall is measured with beside their true
neighbours, and what is known of it, written last."""


FILES = (LAYOUT, INDEX, LISTS, KEYS, PROBES, FACTS)


@dataclass(frozen=True)
class Facts:
    """What is known of an index.

    Attributes:
        contents: Vectors in it.
        laid_out_for: Vectors there were when its lists were laid out.
        dim: Length of a vector.
        lists: Its lists.
        probes: Lists read for a query.
        codes: How a number is held: "float16" or "int8".
        recall: Share of the true 10 nearest found, on queries that `probes` was not chosen by.
        query_ms: Milliseconds that a query took then.
        measured_on: Number of those queries.
    """

    contents: int
    laid_out_for: int
    dim: int
    lists: int
    probes: int
    codes: str
    recall: float
    query_ms: float
    measured_on: int

    def write(self, folder: Path) -> None:
        """Write them down, which makes the index complete."""
        (folder / FACTS).write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Facts":
        """Read what `write` wrote."""
        return cls(**json.loads((folder / FACTS).read_text()))


class VectorIndex:
    """An index that lies in a folder, opened for searching. Threads may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts = Facts.read(folder)
        self._index = open_mapped(folder)
        self._index.nprobe = self.facts.probes
        self._keys = np.memmap(folder / KEYS, "S64", "r")

    def search(self, queries_QD: np.ndarray, top: int) -> Nearest:
        """Return the nearest contents that the lists read for each query hold.

        Args:
            queries_QD: float32, rows of length one.
            top: Neighbours wanted for each query.
        """
        return search(self._index, self._keys, queries_QD, top)


def search(index: Any, keys_N: np.ndarray, queries_QD: np.ndarray, top: int) -> Nearest:
    """Search an index of FAISS and name what it found."""
    top = min(top, index.ntotal)
    cosine_QK, numbers_QK = index.search(np.ascontiguousarray(queries_QD, np.float32), top)
    keys_QK = keys_N[np.maximum(numbers_QK, 0)]
    keys_QK[numbers_QK < 0] = NO_KEY
    cosine_QK[numbers_QK < 0] = -np.inf
    return Nearest(keys_QK, cosine_QK)


def open_mapped(folder: Path) -> Any:
    """Open the index in a folder with its lists mapped, wherever the folder was moved to."""
    faiss = import_faiss()
    with quiet_stdout():
        flags = faiss.IO_FLAG_ONDISK_SAME_DIR | faiss.IO_FLAG_READ_ONLY
        return faiss.read_index(str(folder / INDEX), flags)


def has_faiss() -> bool:
    """Tell whether FAISS is installed."""
    return find_spec("faiss") is not None


def import_faiss() -> Any:
    """Return the module.

    Raises:
        UsageError: It is not installed.
    """
    try:
        import faiss
    except ImportError:
        raise UsageError(
            'an index of vectors needs FAISS: pip install "artcluster[cpu]" (or [gpu]). Without '
            "one, vectors are compared one by one."
        ) from None
    return faiss
