"""Each fault, injected once or a few times: nothing lost, nothing twice, no reader sees a half.

`make faults` does so many times over; `python -m tests.faults.table` writes docs/reliability.md.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.decoders import decoders_break
from tests.faults.disks import NoMountError, disk_fills_up
from tests.faults.kills import drivers_killed, graceful_shutdown
from tests.faults.leases import NoFakeTimeError, clock_jumps, holder_stops, updates_race
from tests.faults.machines import machines_fail
from tests.faults.moving import files_move
from tests.faults.outcome import Outcome
from tests.faults.table import SCENARIOS

MANY = "ARTCLUSTER_KILLS" in os.environ
FEW = {
    drivers_killed: 3,
    graceful_shutdown: 1,
    decoders_break: 1,
    disk_fills_up: 1,
    updates_race: 1,
    holder_stops: 1,
    files_move: 1,
    clock_jumps: 1,
}
"""What `make test` injects, and how often; the rest has tests of its own nearer to the code."""


def assert_whole(outcome: Outcome) -> None:
    assert (outcome.lost, outcome.doubled, outcome.reader_errors or 0) == (0, 0, 0), outcome


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("scenario", "times"),
    (SCENARIOS if MANY else FEW).items(),
    ids=lambda each: getattr(each, "__name__", str(each)),
)
def test_nothing_is_lost_and_nothing_is_there_twice(
    scenario: Callable[[Path, int], Outcome], times: int, tmp_path: Path
) -> None:
    try:
        assert_whole(scenario(tmp_path, times))
    except (NoMountError, NoFakeTimeError) as impossible:
        pytest.skip(f"cannot be injected here: {impossible}")


@pytest.mark.ray
@pytest.mark.faults
@pytest.mark.timeout(900)
def test_actors_and_machines_may_go(tmp_path: Path) -> None:
    for outcome in machines_fail(tmp_path):
        assert_whole(outcome)
