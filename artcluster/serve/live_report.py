"""The report of the last run: looked for, drawn in the background, shown once it is whole."""

import logging
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.serve.pages import ReportPages
from artcluster.store import Store
from artcluster.workflows.runs import Run, choose_run
from artcluster.workflows.viewing.report.make import report_run

logger = logging.getLogger(__name__)


Draw = Callable[[Run, Location], object]
"""Draws the pages of a run into an empty folder."""


@dataclass(frozen=True)
class State:
    """What is shown, and what will be.

    Attributes:
        run_id: The run whose pages are shown, and that search and upload answer by.
        latest_run_id: The run that there is by now.
        drawing: Whether its pages are being drawn.
        failed: Whether they could not be drawn.
    """

    run_id: str
    latest_run_id: str
    drawing: bool
    failed: bool


class LiveReport:
    """Shows the pages of the last run, and until they are whole those of the run before.

    Args:
        stored: Where its report lies.
        run: The run that was asked for, which is kept to, or the last one, which is followed.
        draw: Draws a report; None to show the stored one as it is, whatever run it is of.
        folder: An empty folder of this machine, for the reports that are drawn.
        fresh_s: The store is looked at no more often.
    """

    def __init__(
        self,
        store: Store,
        stored: Location,
        run: Run,
        draw: Draw | None,
        folder: Path,
        fresh_s: float = 3.0,
    ) -> None:
        self._store = store
        self._stored = stored
        self._wanted = self._latest = run
        self._draw = draw
        self._folder = folder
        self._fresh_s = fresh_s
        self._pages = ReportPages(stored)
        self._before: ReportPages | None = None
        self._pages_run_id = run.run_id if draw is None else report_run(stored)
        self._run = self._run_of_pages() or run
        self._show: Callable[[Run], None] = lambda _: None
        self._drawing: threading.Thread | None = None
        self._failed = ""
        self._lock = threading.Lock()
        self._looked: float | None = None

    @property
    def run(self) -> Run:
        """The run that is shown."""
        return self._run

    @property
    def pages(self) -> ReportPages:
        """The pages that are shown."""
        return self._pages

    @property
    def pages_before(self) -> ReportPages | None:
        """Those before, whose pictures a browser may still ask for."""
        return self._before

    def on_show(self, show: Callable[[Run], None]) -> None:
        """Have somebody told of each run that is shown from now on."""
        self._show = show

    def look(self) -> State:
        """Say what is shown; if it is time, look for a newer run and begin to draw its pages."""
        with self._lock:
            if self._looked is None or time.monotonic() - self._looked >= self._fresh_s:
                self._look()
                self._looked = time.monotonic()
            latest = self._latest.run_id
            drawing = self._drawing is not None
            return State(self._run.run_id, latest, drawing, self._failed == latest)

    def close(self, wait_s: float) -> None:
        """Wait a little for what is being drawn, which was asked to end."""
        drawing = self._drawing
        if drawing is not None:
            drawing.join(wait_s)

    def _look(self) -> None:
        if not self._wanted.past:
            self._latest = choose_run(self._store, None, self._wanted.archive_id)
        latest = self._latest
        if self._draw is None:
            if latest.run_id != self._run.run_id:
                self._set_run(latest)
            return
        if latest.run_id == self._pages_run_id:
            return
        if report_run(self._stored) == latest.run_id:
            # Somebody drew it.
            self._switch(latest, ReportPages(self._stored))
            return
        if self._run.run_id != latest.run_id and not self._run.past:
            # From now on the archive is shown as this run saw it.
            self._set_run(replace(self._run, past=True))
        if self._drawing is None and self._failed != latest.run_id:
            self._drawing = threading.Thread(target=self._draw_run, args=[latest], daemon=True)
            self._drawing.start()

    def _draw_run(self, run: Run) -> None:
        assert self._draw is not None
        folder = self._folder / run.run_id
        logger.info("drawing the report of run %s", run.run_id)
        try:
            self._draw(run, Location.parse(str(folder)))
        except Exception:  # Whatever it is, the pages that are there go on being shown.
            logger.exception("the report of run %s could not be drawn", run.run_id)
            shutil.rmtree(folder, ignore_errors=True)
            with self._lock:
                self._failed, self._drawing = run.run_id, None
            return
        with self._lock:
            self._switch(run, ReportPages(Location.parse(str(folder))))
            self._drawing = None
            kept = {each.place for each in (self._pages, self._before) if each is not None}
        for drawn in self._folder.iterdir():
            if Location.parse(str(drawn)) not in kept:
                shutil.rmtree(drawn, ignore_errors=True)

    def _switch(self, run: Run, pages: ReportPages) -> None:
        self._before, self._pages = self._pages, pages
        self._pages_run_id = run.run_id
        self._set_run(run)

    def _set_run(self, run: Run) -> None:
        self._show(run)
        self._run = run

    def _run_of_pages(self) -> Run | None:
        """Return the run whose pages lie in the store; None where that is not known any more."""
        if self._pages_run_id in ("", self._wanted.run_id):
            return None
        try:
            run = choose_run(self._store, self._pages_run_id)
        except UsageError:
            return None
        return run if run.archive_id == self._wanted.archive_id else None
