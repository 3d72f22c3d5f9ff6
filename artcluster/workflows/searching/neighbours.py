"""The nearest neighbours in a store: by an index, and one by one where there is none yet."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from artcluster.clustering.chunks import unit_rows
from artcluster.config.viewing import SearchSettings
from artcluster.errors import LeaseHeldError
from artcluster.schema import EMBEDDINGS
from artcluster.store import Store
from artcluster.store.vectors import read_vectors
from artcluster.workflows.searching.index import (
    Facts,
    Nearest,
    VectorIndex,
    has_faiss,
    nearest_exact,
)
from artcluster.workflows.searching.index_build import Blocks, IndexBuilder, training_size
from artcluster.workflows.searching.index_store import IndexStore, KeptIndex

_GROWN = 4
"""An index grown to so many times what its lists were laid out for is laid out anew."""


@dataclass(frozen=True)
class Watcher:
    """Told what a search is doing.

    Attributes:
        say: A line for a person.
        advance: So many vectors more were read.
    """

    say: Callable[[str], None] = lambda _: None
    advance: Callable[[int], None] = lambda _: None


class Neighbours:
    """Finds the vectors of one embedder that are nearest to given ones, by the cosine.

    Args:
        settings: When an index is used, and what it is like.
        cache: Folder of this machine for the indexes of remote stores.
        watcher: Told of long work.
        resident: Keep vectors that are compared one by one in memory between searches, where
            they fit into `settings.memory_bytes`.
    """

    def __init__(
        self,
        store: Store,
        embedder_id: str,
        settings: SearchSettings,
        cache: Path,
        watcher: Watcher | None = None,
        *,
        resident: bool = False,
    ) -> None:
        self.embedder_id = embedder_id
        self._store = store
        self._settings = settings
        self._indexes = IndexStore(store, embedder_id, cache)
        self._watcher = watcher or Watcher()
        self._resident = resident
        self._index: VectorIndex | None = None
        self._tail: list[str] = []
        self._held: list[tuple[pa.Array, np.ndarray]] | None = None
        self.count = 0

    @property
    def index_facts(self) -> Facts | None:
        """What is known of the index in use; None where all vectors are compared one by one."""
        return None if self._index is None else self._index.facts

    def refresh(self) -> None:
        """Look what the store holds now, and bring the index up to it where that is due.

        Raises:
            StoreError: The store cannot be read, or an index not be written.
        """
        rows = dict(self._store.table(EMBEDDINGS).file_rows({"embedder_id": self.embedder_id}))
        kept = self._indexes.newest()
        self.count = sum(rows.values())
        if kept is not None and (
            kept.facts.codes != self._settings.codes
            or self.count > _GROWN * kept.facts.laid_out_for
            or not has_faiss()
        ):
            kept = None
        covered = set(kept.shards) if kept is not None else set()
        left = {path: count for path, count in rows.items() if path not in covered}
        if sum(left.values()) > self._settings.exact_below:
            # After a compaction the new files hold old contents, too: begin anew.
            compacted = not covered <= rows.keys()
            built = self._build(rows, None if compacted else kept, list(left))
            if built is not None:
                kept, left = built, {}
        if kept is None:
            self._index = None
        elif self._index is None or self._index.folder.name != kept.name:
            self._index = VectorIndex(self._indexes.folder(kept))
        if self._tail != sorted(left):
            self._tail, self._held = sorted(left), None

    def nearest(self, vectors_QD: np.ndarray, top: int) -> Nearest:
        """Return the contents nearest to each vector, best first; an equal one is found, too.

        Args:
            vectors_QD: Vectors of the embedder, of any length.
            top: Neighbours wanted for each.
        """
        queries_QD = unit_rows(vectors_QD)
        found = Nearest.none(len(queries_QD), top)
        if self._index is not None:
            by_index = self._index.search(queries_QD, top)
            found = found.merged(by_index.keys_QK, by_index.cosine_QK)
        return nearest_exact(queries_QD, self._tail_blocks(), top, found)

    def _tail_blocks(self) -> Blocks:
        if self._held is not None:
            return self._held
        blocks = self._read(self._tail) if self._tail else iter(())
        if not self._resident:
            return blocks
        return self._hold(blocks)

    def _hold(self, blocks: Blocks) -> Iterator[tuple[pa.Array, np.ndarray]]:
        """Pass blocks on, and keep them for the next search if all of them fit."""
        held: list[tuple[pa.Array, np.ndarray]] | None = []
        size = 0
        for ids, x_ND in blocks:
            size += x_ND.nbytes
            if held is not None and size <= self._settings.memory_bytes:
                held.append((pa.array(ids, pa.string()), np.array(x_ND)))
            else:
                held = None
            yield ids, x_ND
        self._held = held

    def _read(self, paths: list[str]) -> Iterator[tuple[list[str], np.ndarray]]:
        for ids, x_ND in read_vectors(self._store, self.embedder_id, paths=paths):
            yield ids, x_ND
            self._watcher.advance(len(ids))

    def _build(
        self, rows: dict[str, int], old: KeptIndex | None, left: list[str]
    ) -> KeptIndex | None:
        """Build an index or add to one; None where that cannot be done here and now."""
        say = self._watcher.say
        if not has_faiss():
            say('Comparing all vectors, as FAISS is not installed: pip install "artcluster[cpu]".')
            return None
        try:
            with self._store.lease(f"index={self.embedder_id}"):
                self._indexes.remove_unfinished()
                return self._build_alone(rows, old, left)
        except LeaseHeldError:
            say("Another process builds the index; comparing vectors one by one meanwhile.")
            return None

    def _build_alone(
        self, rows: dict[str, int], old: KeptIndex | None, left: list[str]
    ) -> KeptIndex:
        settings = self._settings
        builder = IndexBuilder(
            settings.codes, settings.recall, settings.memory_bytes, settings.seed
        )
        folder = self._indexes.new_folder()
        if old is None:
            self._watcher.say(f"Building an index of {self.count:,} vectors.")
            blocks = self._read(list(rows))
            facts = builder.build(folder, self._sample(rows), self.count, blocks)
        else:
            self._watcher.say(f"Adding {sum(rows[path] for path in left):,} vectors to the index.")
            facts = builder.extend(folder, self._indexes.folder(old), self._read(left))
        self._watcher.say(
            f"Index of {facts.contents:,} vectors: recall@10 {facts.recall:.3f} and "
            f"{facts.query_ms:.1f} ms a query, measured on {facts.measured_on} of the store's own."
        )
        return self._indexes.keep(folder, list(rows), facts)

    def _sample(self, rows: dict[str, int]) -> np.ndarray:
        """Draw vectors from files drawn at random, as few files as give enough of them."""
        dim = next(read_vectors(self._store, self.embedder_id, batch_rows=1))[1].shape[1]
        wanted = training_size(self.count, dim, self._settings.memory_bytes)
        paths = sorted(rows)
        random.Random(self._settings.seed).shuffle(paths)
        chosen, held = [], 0
        for path in paths:
            if held >= 4 * wanted:
                break
            chosen.append(path)
            held += rows[path]
        draw = np.random.default_rng(self._settings.seed)
        share = wanted / held
        sample = [
            x_ND[draw.random(len(x_ND)) < share]
            for _, x_ND in read_vectors(self._store, self.embedder_id, paths=chosen)
        ]
        return np.concatenate(sample)
