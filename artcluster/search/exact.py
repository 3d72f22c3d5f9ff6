"""The nearest vectors by comparing all, a block at a time, in memory of one block."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from artcluster.store.content_keys import Ids, as_keys

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


def unit_rows(x_ND: np.ndarray) -> np.ndarray:
    """Scale each row to length one; rows of zeros stay.

    Returns:
        float32 (N, D).

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    x_ND = np.asarray(x_ND, np.float32)
    length_N1 = np.linalg.norm(x_ND, axis=1, keepdims=True)
    return x_ND / np.where(length_N1 > 0, length_N1, 1)


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
