"""An index of vectors on disk: FAISS's inverted lists, memory-mapped, of which a query reads few.

Vectors are scaled to length one and compared by the cosine. Memory is what a query touches: lists
are mapped, not loaded, so that an index may be larger than memory; it must lie on a local disk.
"""

import json
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from artcluster.errors import UsageError
from artcluster.search.exact import NO_KEY, Nearest
from artcluster.search.quiet import quiet_stdout

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
