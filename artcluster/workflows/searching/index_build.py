"""Building an index piece by piece, in bounded memory, and adding to one that is there."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from artcluster.clustering.chunks import unit_rows
from artcluster.store.members import Ids, as_keys
from artcluster.workflows.searching.index import (
    INDEX,
    KEYS,
    LAYOUT,
    LISTS,
    NO_KEY,
    PROBES,
    Facts,
    Nearest,
    import_faiss,
    nearest_exact,
    open_mapped,
    quiet_stdout,
    search,
)

TOP = 10
"""Neighbours that recall is measured on."""


def choose_probes(
    index: Any, keys_N: np.ndarray, queries_QD: np.ndarray, truth: Nearest, wanted: float
) -> tuple[float, float]:
    """Make an index read as many lists as a recall needs.

    The number is chosen by every other query; the rest, which had no say in it, measure.

    Args:
        index: Of FAISS; its `nprobe` is set.
        keys_N: Its content_ids.
        queries_QD: Vectors that are in the index.
        truth: The nearest to each, itself among them, one more than `TOP`.
        wanted: Share of the true neighbours to find.

    Returns:
        The share found, and the seconds that a query took, asked one at a time.
    """
    choosing, measuring = slice(0, None, 2), slice(1 if len(queries_QD) > 1 else 0, None, 2)
    for probes in _probes(index.nlist):
        index.nprobe = probes
        if _recall(index, keys_N, queries_QD[choosing], truth.keys_QK[choosing]) >= wanted:
            break
    rest = queries_QD[measuring]
    began = time.perf_counter()
    for query_D in rest:
        search(index, keys_N, query_D[None], TOP + 1)
    seconds = (time.perf_counter() - began) / len(rest)
    return _recall(index, keys_N, rest, truth.keys_QK[measuring]), seconds


def _probes(lists: int) -> Iterator[int]:
    probes = min(4, lists)
    while probes < lists:
        yield probes
        probes = math.ceil(probes * 1.5)
    yield lists


def _recall(index: Any, keys_N: np.ndarray, queries_QD: np.ndarray, true_QK: np.ndarray) -> float:
    """Return the share of the true neighbours found; the query itself, the first, is left out."""
    found_QK = search(index, keys_N, queries_QD, TOP + 1).keys_QK
    hits = wanted = 0
    for found, true in zip(found_QK[:, 1:], true_QK[:, 1:], strict=True):
        right = set(true.tolist()) - {NO_KEY}
        hits += len(right & set(found.tolist()))
        wanted += len(right)
    return hits / max(1, wanted)


_TRAINING_A_LIST = 64
_QUERIES = 512
_CODES = {"float16": "SQfp16", "int8": "SQ8"}


Blocks = Iterable[tuple[Ids, np.ndarray]]
"""content_ids and vectors, a block at a time, each content once."""


def lists_for(contents: int) -> int:
    """Return how many lists so many vectors are spread over: about the root, as FAISS advises.

    >>> lists_for(1_000_000), lists_for(100), lists_for(3)
    (1000, 5, 1)
    """
    return max(1, min(65_536, round(math.sqrt(contents)), contents // 20))


def training_size(contents: int, dim: int, memory_bytes: int) -> int:
    """Return how many vectors to draw at random for the layout of the lists.

    >>> training_size(1_000_000, 1024, 1 << 30)
    64000
    """
    return min(contents, _TRAINING_A_LIST * lists_for(contents), memory_bytes // (dim * 4))


@dataclass(frozen=True)
class IndexBuilder:
    """Builds indexes in empty folders.

    Attributes:
        codes: "float16" or "int8": how the index holds a number.
        recall: Share of the true neighbours that it must find.
        memory_bytes: Vectors are added in pieces of this size.
        seed: Chooses the queries that it is measured with.
    """

    codes: str
    recall: float
    memory_bytes: int
    seed: int

    def build(self, folder: Path, sample_ND: np.ndarray, contents: int, blocks: Blocks) -> Facts:
        """Lay out lists by a sample and fill them.

        Args:
            folder: Where.
            sample_ND: Vectors drawn at random; see `training_size`.
            contents: Vectors there are.
            blocks: All of them.
        """
        faiss = import_faiss()
        sample_ND = unit_rows(sample_ND)
        lists = min(lists_for(contents), len(sample_ND))
        kind = f"IVF{lists},{_CODES[self.codes]}"
        empty = faiss.index_factory(sample_ND.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
        empty.cp.seed = self.seed + 1
        empty.cp.spherical = True
        empty.cp.min_points_per_centroid = 1
        empty.train(sample_ND)
        queries_QD = np.random.default_rng(self.seed).permutation(sample_ND)[:_QUERIES]
        truth = Nearest.none(len(queries_QD), TOP + 1)
        layout = _Layout(empty, self.codes, contents, queries_QD, truth)
        return self._fill(folder, layout, (), blocks)

    def extend(self, folder: Path, old: Path, blocks: Blocks) -> Facts:
        """Put what an older index holds and further vectors into the same lists."""
        faiss = import_faiss()
        empty = faiss.read_index(str(old / LAYOUT))
        with np.load(old / PROBES, allow_pickle=False) as held:
            queries_QD, truth = held["queries"], Nearest(held["keys"], held["cosine"])
        facts = Facts.read(old)
        layout = _Layout(empty, facts.codes, facts.laid_out_for, queries_QD, truth)
        return self._fill(folder, layout, (old,), blocks)

    def _fill(self, folder: Path, layout: "_Layout", olds: Sequence[Path], blocks: Blocks) -> Facts:
        faiss = import_faiss()
        template = faiss.serialize_index(layout.empty)
        faiss.write_index(layout.empty, str(folder / LAYOUT))
        truth = layout.truth
        pieces: list[Path] = []
        count = 0
        with (folder / KEYS).open("wb") as keys_file:
            for old in olds:
                held = np.memmap(old / KEYS, "S64", "r")
                held.tofile(keys_file)
                count += len(held)
            piece = faiss.deserialize_index(template)
            for ids, x_ND in blocks:
                keys, unit_ND = as_keys(ids).astype("S64"), unit_rows(x_ND)
                truth = nearest_exact(layout.queries_QD, [(ids, unit_ND)], TOP + 1, truth)
                piece.add_with_ids(unit_ND, np.arange(count, count + len(keys)))
                keys.tofile(keys_file)
                count += len(keys)
                if piece.ntotal * piece.code_size >= self.memory_bytes:
                    pieces.append(_written(piece, folder / f"piece-{len(pieces)}"))
                    piece = faiss.deserialize_index(template)
            pieces.append(_written(piece, folder / f"piece-{len(pieces)}"))
        parts = [open_mapped(old) for old in olds]
        parts += [faiss.read_index(str(piece), faiss.IO_FLAG_MMAP) for piece in pieces]
        index = _merged(folder, layout.empty, parts)
        for each in pieces:
            each.unlink()
        np.savez(
            folder / PROBES,
            queries=layout.queries_QD,
            keys=truth.keys_QK,
            cosine=truth.cosine_QK,
        )
        keys_N = np.memmap(folder / KEYS, "S64", "r")
        recall, seconds = choose_probes(index, keys_N, layout.queries_QD, truth, self.recall)
        facts = Facts(
            contents=count,
            laid_out_for=layout.laid_out_for,
            dim=index.d,
            lists=index.nlist,
            probes=index.nprobe,
            codes=layout.codes,
            recall=recall,
            query_ms=seconds * 1000,
            measured_on=max(1, len(layout.queries_QD) // 2),
        )
        facts.write(folder)
        return facts


@dataclass(frozen=True)
class _Layout:
    """Lists without vectors, and what recall is measured by.

    Attributes:
        empty: The index of FAISS.
        codes: How it holds a number.
        laid_out_for: Vectors there were when its lists were laid out.
        queries_QD: Vectors of the index to ask for.
        truth: Their nearest, as far as they are known.
    """

    empty: Any
    codes: str
    laid_out_for: int
    queries_QD: np.ndarray
    truth: Nearest


def _written(piece: Any, path: Path) -> Path:
    import_faiss().write_index(piece, str(path))
    return path


def _merged(folder: Path, empty: Any, parts: Sequence[Any]) -> Any:
    """Write the lists of several indexes into one file, without loading them; return the index.

    Source: as faiss.contrib.ondisk does it.
    """
    faiss = import_faiss()
    lists = faiss.InvertedListsPtrVector()
    for part in parts:
        lists.push_back(part.invlists)
    with quiet_stdout():
        target = faiss.OnDiskInvertedLists(empty.nlist, empty.code_size, str(folder / LISTS))
        empty.ntotal = target.merge_from_multiple(lists.data(), lists.size())
    empty.replace_invlists(target, True)
    target.this.disown()
    faiss.write_index(empty, str(folder / INDEX))
    return empty
