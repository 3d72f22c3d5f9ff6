"""Rows for tests of the store."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from artcluster.schema import EMBEDDINGS
from artcluster.store import Store

EMBEDDER = "timm:a/b-ü 1"
PARTITION = {"embedder_id": EMBEDDER}


def content_id(word: object) -> str:
    return hashlib.sha256(str(word).encode()).hexdigest()


def vectors(words: Sequence[object], dim: int = 4) -> pa.Table:
    """One embedding a word; its first number is the word's own, so that mix-ups show."""
    ids = [content_id(word) for word in words]
    x = np.array([[int(each[:6], 16), *range(1, dim)] for each in ids], dtype=np.float32)
    return pa.table(
        {
            "content_id": ids,
            "region": [""] * len(ids),
            "embedding": pa.FixedSizeListArray.from_arrays(x.ravel(), dim),
        }
    )


def assert_right(ids: Sequence[str], x: np.ndarray) -> None:
    expected = np.array([int(each[:6], 16) for each in ids], dtype=np.float32)
    np.testing.assert_array_equal(x[:, 0], expected)


def committed_names(store: Store) -> set[str]:
    """Return the names of the committed shards of the partition."""
    return {Path(path).stem for path in store.table(EMBEDDINGS).paths(PARTITION)}
