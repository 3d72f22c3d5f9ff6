"""Two jobs on one store: at once, after a standstill, and with a clock that jumps."""

import signal
import time
from pathlib import Path

from artcluster.location import Location
from artcluster.store import Store
from tests.faults.driver import Driver, finished
from tests.faults.kills import STAGES, files, wait_for
from tests.faults.outcome import Outcome, doubled, lost
from tests.faults.reader import watched
from tests.workflows.jobs import copy_pictures


def updates_race(folder: Path, times: int) -> Outcome:
    """Start two updates of one archive at the same moment."""
    images, store = folder / "images", folder / "store"
    copy_pictures(images, 8)
    finished(Driver("run", images, store, log=folder / "first.log"))
    recovery_s = 0.0
    with watched(Location.parse(store), folder / "reader.json") as seen:
        for number in range(times):
            copy_pictures(images, 4, start=8 + 4 * number)
            pair = [
                Driver("update", images, store, log=folder / f"{name}.log") for name in ("a", "b")
            ]
            recovery_s = max(finished(driver) for driver in pair)
            new = len(files(store, "runs/*.parquet"))
            assert new == 2 + number, f"{new} runs"
    opened = Store.open(store)
    return Outcome(
        "two updates start at once",
        times,
        lost(opened, images),
        doubled(opened),
        len(seen.wrong),
        recovery_s,
        f"one waits for the other and finds its work done; a reader looked {seen.polls} times",
    )


def holder_stops(folder: Path, times: int) -> Outcome:
    """Stop a driver while it embeds, let another take over, and wake the first one."""
    images, store = folder / "images", folder / "store"
    recovery_s = 0.0
    settings = {"store.lease_ttl_s": 1}
    with watched(Location.parse(store), folder / "reader.json") as seen:
        for number in range(times):
            copy_pictures(images, 12, start=12 * number)
            before = files(store, STAGES["embed"])
            first = Driver("embed", images, store, log=folder / "a.log", settings=settings)
            assert wait_for(lambda: files(store, STAGES["embed"]) != before, first)  # noqa: B023
            first.send(signal.SIGSTOP)
            second = Driver("embed", images, store, log=folder / "b.log", settings=settings)
            recovery_s = max(recovery_s, finished(second))
            first.send(signal.SIGCONT)
            code, text = first.end(), first.text()
            assert code == 1, text[-4000:]
            assert "lost its lease" in text or "thought dead" in text, text[-4000:]
    opened = Store.open(store)
    return Outcome(
        "the lease's holder is stopped (SIGSTOP) and wakes after its term",
        times,
        lost(opened, images),
        doubled(opened),
        len(seen.wrong),
        recovery_s,
        f"the other takes over; the first ends with a message; a reader looked {seen.polls} times",
    )


class NoFakeTimeError(Exception):
    """libfaketime is not installed."""


def fake_time(file: Path) -> dict[str, str]:
    """Return the environment of a process whose wall clock is what a file says.

    Raises:
        NoFakeTimeError: libfaketime is not installed.
    """
    try:
        import libfaketime
    except ImportError as missing:
        raise NoFakeTimeError(str(missing)) from None
    (library,) = Path(libfaketime.__file__).parent.rglob("libfaketime.so.1")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        # As on a machine whose date is set: the monotonic clock goes on.
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }


def clock_jumps(folder: Path, times: int) -> Outcome:
    """Set a job's clock years ahead and back while it holds its lease and another one waits."""
    images, store, clock = folder / "images", folder / "store", folder / "clock"
    jumps = ["+3650d", "-3650d"]
    recovery_s = 0.0
    settings = {"store.lease_ttl_s": 5}
    with watched(Location.parse(store), folder / "reader.json") as seen:
        for number in range(times):
            copy_pictures(images, 12, start=12 * number)
            clock.write_text("+0\n")
            before = files(store, STAGES["embed"])
            first = Driver(
                *("embed", images, store),
                log=folder / "a.log",
                settings=settings,
                environment=fake_time(clock),
            )
            assert wait_for(lambda: files(store, STAGES["embed"]) != before, first)  # noqa: B023
            clock.write_text(f"{jumps[number % 2]}\n")
            second = Driver("embed", images, store, log=folder / "b.log", settings=settings)
            began = time.monotonic()
            assert first.end() == 0, first.text()[-4000:]
            assert second.end() == 0, second.text()[-4000:]
            recovery_s = max(recovery_s, time.monotonic() - began)
    opened = Store.open(store)
    return Outcome(
        "the clock jumps ten years ahead, or back",
        times,
        lost(opened, images),
        doubled(opened),
        len(seen.wrong),
        recovery_s,
        "leases are timed by each one's own steady clock, runs ordered by commits; "
        f"a reader looked {seen.polls} times",
    )
