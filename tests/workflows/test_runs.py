"""Runs: their order whatever the clocks said, and choosing one of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artcluster.config import Config
from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.schema import RUNS
from artcluster.store import Store
from artcluster.store.views import read_view
from artcluster.workflows.clustering.assign import artefact_of_store
from artcluster.workflows.clustering.package import package_model
from artcluster.workflows.runs import Run, choose_pair, choose_run, find_run, in_order, read_runs

SOURCES = Path(__file__).parent.parent.parent / "artcluster"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def make_record(run_id: str, minute: float = 0, **columns: Any) -> Run:
    """Return a run; `minute` is what its writer's clock said, after noon."""
    facts: dict[str, Any] = {
        "parent": None,
        "series": run_id,
        "archive_id": "a",
        "scan_id": 1,
        "model_id": f"model-{run_id}",
        "embedder_id": "e",
        "metadata_version": "",
        "images": 1,
        "next_cluster": 1,
        "decision": {},
        "config": {},
        "metrics": {},
        "versions": {},
        "timings": {},
        "created_at": NOON + timedelta(minutes=minute),
    }
    return Run(run_id, **facts | columns)


def commit(store: Store, run_id: str, minute: float, **columns: Any) -> None:
    run = make_record(run_id, minute, **columns)
    columns = {name: getattr(run, name) for name in RUNS.schema.names if name != "series"}
    row = {name: value for name, value in columns.items() if not isinstance(value, dict)}
    store.append(RUNS, pa.Table.from_pylist([row], RUNS.schema))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store", create=True)


def last_by_view(store: Store) -> str:
    (run_id,) = read_view(store, "latest_runs", "arrow")["run_id"].to_pylist()
    return str(run_id)


def test_a_run_that_follows_a_run_of_the_future_is_newer(store: Store) -> None:
    commit(store, "fast", 10)
    commit(store, "right", 5, parent="fast")
    assert [run.run_id for run in read_runs(store)] == ["fast", "right"]
    assert choose_run(store).run_id == choose_run(store, "last").run_id == "right"
    assert last_by_view(store) == "right"


def test_the_latest_run_that_none_follows_is_the_last_one(store: Store) -> None:
    commit(store, "fast", 10)
    commit(store, "update", 5, parent="fast")
    commit(store, "another", 6)
    assert [run.run_id for run in read_runs(store)] == ["fast", "update", "another"]
    assert last_by_view(store) == "another"


@given(st.lists(st.tuples(st.integers(-1, 20), st.integers(0, 9)), min_size=1, max_size=20))
def test_every_order_has_parents_first_and_times_where_nothing_follows(
    drawn: list[tuple[int, int]],
) -> None:
    runs: list[Run] = []
    for number, (parent, minute) in enumerate(drawn):
        of = f"r{parent}" if 0 <= parent < number else None
        runs.append(make_record(f"r{number}", minute, parent=of))
    ordered = [run.run_id for run in in_order(runs)]
    assert sorted(ordered) == sorted(run.run_id for run in runs)
    assert all(ordered.index(run.parent) < ordered.index(run.run_id) for run in runs if run.parent)
    assert ordered == [run.run_id for run in in_order(runs[::-1])]
    alone = [run for run in runs if run.parent is None]
    assert in_order(alone) == sorted(alone, key=lambda run: (run.created_at, run.run_id))


def test_a_run_is_found_by_its_id_or_a_unique_prefix() -> None:
    runs = [make_record("ab1"), make_record("ab2"), make_record("ab"), make_record("c")]
    assert find_run(runs, "ab1").run_id == "ab1"
    assert find_run(runs, "ab").run_id == "ab"
    assert find_run(runs).run_id == find_run(runs, "last").run_id == "c"
    with pytest.raises(UsageError, match="several runs begin with 'a'; choose one of ab1, ab2, ab"):
        find_run(runs, "a")
    with pytest.raises(UsageError, match="no run 'x'; choose one of ab1, ab2, ab, c"):
        find_run(runs, "x")
    with pytest.raises(UsageError, match="there is none yet"):
        find_run([])


def test_with_two_archives_the_last_run_is_asked_for_by_archive(
    store: Store, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no clusters yet"):
        choose_run(store)
    commit(store, "first", 0)
    commit(store, "other", 1, archive_id="b")
    for ask in (
        lambda: choose_run(store),
        lambda: artefact_of_store(store, None),
        lambda: package_model(store, None, Location.parse(tmp_path / "package"), Config()),
    ):
        with pytest.raises(UsageError, match="several archives: choose one of a, b"):
            ask()
    assert choose_run(store, None, "a").run_id == "first"
    assert (choose_run(store, "oth").run_id, choose_run(store, "oth").past) == ("other", True)
    assert [run.run_id for run in choose_pair(store, "first", "last")] == ["first", "first"]
    with pytest.raises(UsageError, match="no run of 'x'; choose one of a, b"):
        choose_run(store, None, "x")
    with pytest.raises(UsageError, match="no run 'oth'"):
        choose_run(store, "oth", "a")


def test_only_one_file_reads_the_runs() -> None:
    """Views are made of the table by SQL; everything else asks `runs.py`."""
    readers = {
        file.relative_to(SOURCES).as_posix()
        for file in SOURCES.rglob("*.py")
        if "table(RUNS)" in file.read_text() or 'table("runs")' in file.read_text()
    }
    assert readers == {"workflows/runs.py", "store/views.py"}
