"""The report that follows the last run: what is shown while another is drawn, and after."""

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from artcluster.location import Location
from artcluster.schema import RUNS
from artcluster.serve.live_report import Draw, LiveReport
from artcluster.store import Store
from artcluster.workflows.runs import Run, choose_run

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Drawing:
    """Draws a page that names the run, once it is let to: stands for the report's own code."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.runs: list[str] = []
        self.fails = False

    def __call__(self, run: Run, out: Location) -> None:
        self.runs.append(run.run_id)
        self.begun.set()
        assert self.may_end.wait(60)
        if self.fails:
            raise RuntimeError("no ink")
        write_report(Path(out.uri), run.run_id)


def write_report(folder: Path, run_id: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(f"<header></header>pages of {run_id}")
    (folder / "run.json").write_text(json.dumps({"run_id": run_id}))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.open(tmp_path / "store", create=True)
    commit(store, "first", 0)
    write_report(tmp_path / "store" / "report", "first")
    return store


def commit(store: Store, run_id: str, hours: int) -> None:
    run = {"run_id": run_id, "archive_id": "a", "model_id": "m"}
    row = run | {"created_at": NOON + timedelta(hours=hours)}
    store.append(RUNS, pa.Table.from_pylist([row], RUNS.schema))


def live(store: Store, draw: Draw | None, tmp_path: Path, run: str | None = None) -> LiveReport:
    folder = tmp_path / "drawn"
    folder.mkdir(exist_ok=True)
    stored = store.location.child("report")
    return LiveReport(store, stored, choose_run(store, run), draw, folder, fresh_s=0)


def page(report: LiveReport) -> bytes:
    return bytes(report.pages.response("index.html").body)


def test_the_old_pages_are_shown_until_the_new_ones_are_whole(store: Store, tmp_path: Path) -> None:
    draw = Drawing()
    report = live(store, draw, tmp_path)
    told: list[Run] = []
    report.on_show(told.append)
    assert not report.look().drawing
    assert draw.runs == []
    commit(store, "second", 1)
    state = report.look()
    assert (state.run_id, state.latest_run_id, state.drawing) == ("first", "second", True)
    assert draw.begun.wait(60)
    # Half a report lies there, and is not shown; what is asked is answered as the old run saw it.
    assert b"pages of first" in page(report)
    assert [(run.run_id, run.past) for run in told] == [("first", True)]
    draw.may_end.set()
    report.close(60)
    state = report.look()
    assert (state.run_id, state.latest_run_id, state.drawing) == ("second", "second", False)
    assert b"pages of second" in page(report)
    assert (told[-1].run_id, told[-1].past) == ("second", False)
    assert draw.runs == ["second"]
    # Of the reports drawn, the one before is kept for those who still look at it.
    for number in (3, 4):
        commit(store, f"run{number}", number)
        report.look()
        report.close(60)
    assert b"pages of run4" in page(report)
    assert sorted(each.name for each in (tmp_path / "drawn").iterdir()) == ["run3", "run4"]


def test_a_report_that_cannot_be_drawn_is_not_tried_again(store: Store, tmp_path: Path) -> None:
    draw = Drawing()
    draw.fails = True
    draw.may_end.set()
    report = live(store, draw, tmp_path)
    commit(store, "second", 1)
    report.look()
    report.close(60)
    for _ in range(2):
        state = report.look()
        assert (state.run_id, state.drawing, state.failed) == ("first", False, True)
    assert draw.runs == ["second"]
    assert b"pages of first" in page(report)
    draw.fails = False
    commit(store, "third", 2)
    report.look()
    report.close(60)
    assert (report.look().run_id, report.look().failed) == ("third", False)


def test_a_report_that_somebody_drew_is_taken(store: Store, tmp_path: Path) -> None:
    draw = Drawing()
    report = live(store, draw, tmp_path)
    commit(store, "second", 1)
    write_report(tmp_path / "store" / "report", "second")
    assert report.look().run_id == "second"
    assert draw.runs == []


def test_a_run_that_was_asked_for_is_kept_to(store: Store, tmp_path: Path) -> None:
    draw = Drawing()
    draw.may_end.set()
    commit(store, "second", 1)
    report = live(store, draw, tmp_path, "first")
    commit(store, "third", 2)
    assert (report.look().run_id, draw.runs) == ("first", [])
    other = live(store, draw, tmp_path, "second")
    other.look()
    other.close(60)
    assert (other.look().run_id, draw.runs) == ("second", ["second"])


def test_a_given_report_is_shown_as_it_is(store: Store, tmp_path: Path) -> None:
    report = live(store, None, tmp_path)
    commit(store, "second", 1)
    assert report.look().run_id == "second"
    assert b"pages of first" in page(report)
