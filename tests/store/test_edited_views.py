"""Names, merges, moves and past runs in the views."""

import datetime as dt

import pyarrow as pa
import pytest

from artcluster.schema import ASSIGNMENTS, CLUSTER_NAMES, EDITS, IMAGES, RUNS
from artcluster.store import Store
from artcluster.store.views import read_view
from tests.store.rows import content_id

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def at(minute: int) -> dt.datetime:
    return NOON + dt.timedelta(minutes=minute)


def add(store: Store, table, *rows: dict) -> None:
    full = [dict.fromkeys(table.schema.names) | row for row in rows]
    store.append(table, pa.Table.from_pylist(full, table.schema))


def image(path: str, scan_id: int, status: str = "ok") -> dict:
    keys = {"archive_id": "met", "path": path, "content_id": content_id(path)}
    return keys | {"scan_id": scan_id, "status": status, "seen_at": at(scan_id)}


def run(run_id: str, minute: int, scan_id: int, **more) -> dict:
    keys = {"run_id": run_id, "archive_id": "met", "scan_id": scan_id, "created_at": at(minute)}
    return keys | {"model_id": f"m-{run_id}", "metadata_version": ""} | more


def assigned(run_id: str, **clusters: int) -> list[dict]:
    return [
        {"model_id": f"m-{run_id}", "content_id": content_id(path), "region": "", "cluster": number}
        for path, number in clusters.items()
    ]


def merged(store: Store, cluster: int, into: int | None, minute: int, **more) -> None:
    row = {"series": "r1", "run_id": "r1", "kind": "merge", "edit_id": str(minute)}
    row |= {"cluster": cluster, "shown_cluster": into, "edited_at": at(minute)}
    add(store, EDITS, row | more)


@pytest.fixture
def series(local_store: Store) -> Store:
    """A first run without a series, as older stores have it, and one that follows it."""
    add(local_store, IMAGES, image("a", 1), image("b", 1), image("c", 1))
    add(local_store, RUNS, run("r1", 0, 1))
    add(local_store, ASSIGNMENTS, *assigned("r1", a=0, b=1, c=2))
    add(local_store, IMAGES, image("c", 2, "removed"), image("d", 2))
    add(local_store, RUNS, run("r2", 10, 2, parent="r1", series="r1"))
    add(local_store, ASSIGNMENTS, *assigned("r2", a=0, b=1, d=3))
    name = {"cluster": 1, "name": "suns", "named_at": at(1)}
    add(local_store, CLUSTER_NAMES, name | {"run_id": "r1"})
    return local_store


def shown(store: Store, run_id: str | None = None) -> dict[str, tuple]:
    rows = read_view(store, "latest", "arrow", run_id=run_id).to_pylist()
    return {row["path"]: (row["cluster"], row["cluster_name"]) for row in rows}


def test_a_name_holds_in_every_run_of_its_series(series: Store) -> None:
    assert shown(series) == {"a": (0, None), "b": (1, "suns"), "d": (3, None)}
    add(series, CLUSTER_NAMES, {"run_id": "r3", "series": "r3", "cluster": 0, "named_at": at(2)})
    assert shown(series)["a"] == (0, None)
    taken = {"run_id": "r2", "series": "r1", "cluster": 1, "name": None, "named_at": at(3)}
    add(series, CLUSTER_NAMES, taken)
    assert shown(series)["b"] == (1, None)


def test_a_past_run_is_read_as_it_was(series: Store) -> None:
    assert shown(series, "r1") == {"a": (0, None), "b": (1, "suns"), "c": (2, None)}
    assert set(read_view(series, "latest", run_id="r1")["run_id"]) == {"r1"}
    with pytest.raises(ValueError, match="no run 'r9'"):
        read_view(series, "latest", run_id="r9")


def test_merged_clusters_and_moved_images_are_shown_where_people_put_them(series: Store) -> None:
    merged(series, 0, 1, 20)
    assert shown(series) == {"a": (1, "suns"), "b": (1, "suns"), "d": (3, None)}
    move = {"edit_id": "m", "series": "r1", "run_id": "r2", "kind": "move", "edited_at": at(21)}
    add(series, EDITS, move | {"content_id": content_id("d"), "path": "d", "shown_cluster": 0})
    # Cluster 0 is shown as 1, so what is moved to it is, too.
    assert shown(series)["d"] == (1, "suns")
    merged(series, 0, None, 22, kind="undo")
    assert shown(series) == {"a": (0, None), "b": (1, "suns"), "d": (0, None)}
    rows = read_view(series, "latest", "arrow").to_pylist()
    assert {row["path"]: row["model_cluster"] for row in rows} == {"a": 0, "b": 1, "d": 3}


def test_what_a_refit_calls_for_holds_from_that_run_on(series: Store) -> None:
    merged(series, 0, 1, 5, kind="inherit", run_id="not yet there")
    assert shown(series)["a"] == (0, None)
    merged(series, 0, 1, 6, kind="inherit", run_id="r2")
    assert shown(series)["a"] == (1, "suns")
    assert shown(series, "r1")["a"] == (0, None)
