"""SIGTERM in this very process, where what runs sees to it and where it does not."""

import signal
import time
from collections.abc import Callable

import pytest

from artcluster.cli import session as module
from artcluster.cli.session import graceful_shutdown
from artcluster.errors import StoppedError
from artcluster.runtime.cancellation import Stop


def ended(job: Callable[[Stop], object], error: type[BaseException] = StoppedError) -> None:
    def run() -> None:
        with graceful_shutdown() as stop:
            job(stop)

    with pytest.raises(error):
        run()


def rings() -> None:
    """Wait until the time that was granted is over."""
    while signal.getitimer(signal.ITIMER_REAL)[0]:
        time.sleep(0.001)


def test_what_nobody_sees_to_is_interrupted() -> None:
    went_on = []

    def job(_stop: Stop) -> None:
        signal.raise_signal(signal.SIGTERM)
        went_on.append(True)

    ended(job)
    assert not went_on


def test_what_ends_by_itself_is_left_alone() -> None:
    seen = []

    def job(stop: Stop) -> None:
        with stop.awaited():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
            seen.append(stop.asked)
        stop.check()

    ended(job)
    assert seen == [True]


def test_what_takes_too_long_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.01)

    def job(stop: Stop) -> None:
        with stop.awaited():
            signal.raise_signal(signal.SIGTERM)
            while True:
                time.sleep(0.001)

    ended(job)


def test_an_end_under_way_is_not_disturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.01)
    committed = []

    def job(stop: Stop) -> None:
        try:
            with stop.awaited():
                signal.raise_signal(signal.SIGTERM)
                stop.check()
        finally:
            rings()
            committed.append(True)

    ended(job)
    assert committed


def test_ctrl_c_stays_what_it_is() -> None:
    ended(lambda _: signal.raise_signal(signal.SIGINT), KeyboardInterrupt)
