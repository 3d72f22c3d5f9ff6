"""How much of the truth an index finds, and how many lists it must read for that."""

import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from artcluster.search.exact import NO_KEY, Nearest
from artcluster.search.index import search

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
