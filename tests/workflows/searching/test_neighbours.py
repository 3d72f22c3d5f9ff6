"""The nearest vectors: right when compared one by one, and nearly all of them by an index."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from artcluster.clustering.chunks import unit_rows
from artcluster.config import SearchSettings
from artcluster.schema import EMBEDDINGS
from artcluster.store import Store
from artcluster.store.vectors import find_vectors
from artcluster.workflows.searching import neighbours as neighbours_module
from artcluster.workflows.searching.index import Nearest, nearest_exact
from artcluster.workflows.searching.neighbours import Neighbours, Watcher
from tests.s3_server import S3Server
from tests.store.rows import content_id

EMBEDDER = "toy-0001"
DIM = 24


def clustered(count: int, seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    centres = 3 * np.random.default_rng(0).standard_normal((30, DIM))
    noise = draw.standard_normal((count, DIM))
    return (centres[draw.integers(0, 30, count)] + noise).astype(np.float32)


def add(store: Store, x_ND: np.ndarray, first: int) -> list[str]:
    ids = [content_id(first + row) for row in range(len(x_ND))]
    columns = [[EMBEDDER] * len(ids), ids, [""] * len(ids), pa.array(list(x_ND))]
    rows = pa.table(columns, names=EMBEDDINGS.schema.names).cast(EMBEDDINGS.schema)
    store.append(EMBEDDINGS, rows)
    return ids


def opened(store: Store, tmp_path: Path, said: list[str] | None = None, **settings) -> Neighbours:
    watcher = Watcher(said.append) if said is not None else None
    chosen = SearchSettings(**{"exact_below": 500, "memory_bytes": 1 << 26} | settings)
    found = Neighbours(store, EMBEDDER, chosen, tmp_path / "cache", watcher)
    found.refresh()
    return found


def naive(ids: list[str], x_ND: np.ndarray, queries_QD: np.ndarray, top: int) -> list[list[str]]:
    cosine = unit_rows(queries_QD) @ unit_rows(x_ND).T
    return [[ids[row] for row in np.argsort(-line, kind="stable")[:top]] for line in cosine]


def keys(found: Nearest) -> list[list[str]]:
    return [[key.decode() for key in row if key] for row in found.keys_QK]


def test_exact_search_is_the_naive_one_whatever_the_blocks() -> None:
    x, queries = clustered(300, 1), clustered(7, 2)
    ids = [content_id(row) for row in range(len(x))]
    expected = naive(ids, x, queries, 10)
    for size in (300, 64, 7):
        blocks = [(ids[at : at + size], x[at : at + size]) for at in range(0, 300, size)]
        # A content that comes twice is found once.
        found = nearest_exact(unit_rows(queries), [*blocks, blocks[0]], 10)
        assert keys(found) == expected


def test_fewer_vectors_than_wanted_and_none_at_all() -> None:
    queries = unit_rows(clustered(2, 2))
    assert keys(nearest_exact(queries, [], 3)) == [[], []]
    few = nearest_exact(queries, [([content_id(1)], clustered(1, 1))], 3)
    assert [len(row) for row in keys(few)] == [1, 1]
    assert np.isneginf(few.cosine_QK[:, 1:]).all()


def test_an_index_is_built_once_extended_and_built_anew(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store", create=True)
    x, queries = clustered(2000, 1), clustered(40, 2)
    ids = add(store, x[:1200], 0)
    assert opened(store, tmp_path, exact_below=5000).index_facts is None
    said: list[str] = []
    first = opened(store, tmp_path, said)
    facts = first.index_facts
    assert facts is not None
    assert facts.contents == first.count == 1200
    assert facts.recall >= 0.9
    assert facts.probes <= facts.lists
    assert any("recall@10" in line for line in said)
    folders = list((tmp_path / "store/indexes").glob("*/*"))
    assert [folder.name.split("-")[0] for folder in folders] == ["000001200"]

    # Built once; what came since is compared one by one, and found.
    ids += add(store, x[1200:1500], 1200)
    said = []
    second = opened(store, tmp_path, said)
    assert said == []
    assert second.index_facts == facts
    own = second.nearest(x[1210:1215], 1)
    assert keys(own) == [[each] for each in ids[1210:1215]]

    # Past the limit the new ones are added, with the same lists.
    ids += add(store, x[1500:], 1500)
    said = []
    third = opened(store, tmp_path, said)
    assert "Adding 800 vectors" in said[0]
    assert third.index_facts is not None
    assert (third.index_facts.contents, third.index_facts.laid_out_for) == (2000, 1200)
    expected = naive(ids, x, queries, 10)
    found = keys(third.nearest(queries, 10))
    hits = [len(set(a) & set(b)) / 10 for a, b in zip(found, expected, strict=True)]
    assert np.mean(hits) >= 0.9
    assert third.index_facts.recall == pytest.approx(np.mean(hits), abs=0.1)
    np.testing.assert_allclose(
        third.nearest(queries, 1).cosine_QK[:, 0],
        (unit_rows(queries) @ unit_rows(x).T).max(axis=1),
        atol=2e-3,
    )

    # Other settings, another index; only two are kept.
    fourth = opened(store, tmp_path, codes="int8")
    assert fourth.index_facts is not None
    assert fourth.index_facts.codes == "int8"
    assert fourth.index_facts.laid_out_for == 2000
    assert len(list((tmp_path / "store/indexes").glob("*/*"))) == 2


def test_an_index_grown_to_four_times_its_size_is_laid_out_anew(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store", create=True)
    add(store, clustered(600, 1), 0)
    assert opened(store, tmp_path).index_facts is not None
    add(store, clustered(2000, 2), 600)
    facts = opened(store, tmp_path).index_facts
    assert facts is not None
    assert facts.laid_out_for == facts.contents == 2600


def test_vectors_are_compared_one_by_one_while_another_builds_and_without_faiss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(tmp_path / "store", create=True)
    x = clustered(800, 1)
    ids = add(store, x, 0)
    said: list[str] = []
    with store.lease(f"index={EMBEDDER}"):
        waiting = opened(store, tmp_path, said)
    assert waiting.index_facts is None
    assert "Another process" in said[0]
    assert keys(waiting.nearest(x[:2], 1)) == [ids[:1], ids[1:2]]
    monkeypatch.setattr(neighbours_module, "has_faiss", lambda: False)
    said = []
    bare = opened(store, tmp_path, said)
    assert bare.index_facts is None
    assert "artcluster[cpu]" in said[0]
    assert keys(bare.nearest(x[:2], 3)) == naive(ids, x, x[:2], 3)


def test_resident_vectors_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(tmp_path / "store", create=True)
    x = clustered(100, 1)
    ids = add(store, x, 0)
    kept = Neighbours(store, EMBEDDER, SearchSettings(), tmp_path, resident=True)
    kept.refresh()
    assert keys(kept.nearest(x[:1], 1)) == [ids[:1]]
    monkeypatch.setattr(neighbours_module, "read_vectors", None)
    assert keys(kept.nearest(x[1:2], 1)) == [ids[1:2]]
    monkeypatch.undo()
    more = add(store, 2 * x[:1], 100)
    kept.refresh()
    assert set(keys(kept.nearest(x[:1], 2))[0]) == {ids[0], more[0]}


def test_a_few_vectors_are_found_without_reading_all(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store", create=True)
    x = clustered(30, 1)
    ids = add(store, x[:15], 0) + add(store, x[15:], 15)
    found = find_vectors(store, EMBEDDER, [ids[20], ids[3], content_id("nobody")])
    assert set(found) == {ids[20], ids[3]}
    np.testing.assert_array_equal(found[ids[20]], x[20])


@pytest.mark.s3
def test_an_index_on_s3_is_searched_from_a_copy(tmp_path: Path, s3: S3Server) -> None:
    store = Store.open(s3.location("similar"), create=True)
    x = clustered(600, 1)
    ids = add(store, x, 0)
    assert opened(store, tmp_path).index_facts is not None
    said: list[str] = []
    elsewhere = opened(store, tmp_path / "another machine", said)
    assert said == []
    assert keys(elsewhere.nearest(x[:3], 1)) == [[each] for each in ids[:3]]
