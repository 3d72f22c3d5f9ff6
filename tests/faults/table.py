"""Every fault, injected for real: `python -m tests.faults.table` writes docs/reliability.md."""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from artcluster import __version__
from tests.faults.decoders import decoders_break
from tests.faults.disks import disk_fills_up
from tests.faults.kills import cleanings_killed, drivers_killed, graceful_shutdown
from tests.faults.leases import clock_jumps, holder_stops, updates_race
from tests.faults.machines import machines_fail
from tests.faults.moving import files_move
from tests.faults.outcome import Outcome
from tests.faults.servers import server_killed

SCENARIOS: dict[Callable[[Path, int], Outcome], int] = {
    drivers_killed: 50,
    graceful_shutdown: 2,
    cleanings_killed: 3,
    decoders_break: 1,
    disk_fills_up: 2,
    server_killed: 3,
    updates_race: 2,
    holder_stops: 2,
    files_move: 3,
    clock_jumps: 2,
}
"""What breaks, and how often for the table."""

REPORT = Path(__file__).parents[2] / "docs" / "reliability.md"

_TEXT = """# Faults, injected

What happens to a store when things break, from a real run of `{command}` (artcluster
{version}, {machine}, {date}; {minutes:.0f} minutes):

| fault | times | lost | doubled | reader errors | seconds to recover | what happens |
|---|---|---|---|---|---|---|
{rows}

- **lost**: files of the archive that are not in the store as they are, or have no vector, after the
  last start. **doubled**: rows of vectors, images, assignments or runs that are there twice.
- **reader errors**: another process opens the store all the while, and checks at every look that no
  vector is there twice, that every image has one, that every run has its assignments, and that
  nothing committed goes away again; – where none looked.
- **seconds to recover**: from the start after the last fault to its end (the longest, where there
  are several): start-up, and the work that was left. Measured while other programs ran.
- Archives are some dozens of real drawings; the embedder is a colour histogram, so that jobs die
  between commits rather than in a network.

`make faults` repeats it, with every step of `vacuum` interrupted besides; `make test` injects each
of them once or a few times. The scenarios are in `tests/faults/`.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, help="Inject each fault at most so often.")
    parser.add_argument("--only", help="Run one scenario, by its function's name.")
    given = parser.parse_args()
    began, outcomes = time.monotonic(), []
    for scenario, times in SCENARIOS.items():
        if given.only in (None, scenario.__name__):
            with tempfile.TemporaryDirectory(prefix="artcluster-faults-") as folder:
                outcome = scenario(Path(folder), min(times, given.most or times))
            outcomes.append(outcome)
            _tell(outcome)
    if given.only in (None, machines_fail.__name__):
        with tempfile.TemporaryDirectory(prefix="artcluster-faults-") as folder:
            for outcome in machines_fail(Path(folder)):
                outcomes.append(outcome)
                _tell(outcome)
    if given.only is None:
        command = " ".join(["python -m tests.faults.table", *sys.argv[1:]])
        REPORT.write_text(_report(outcomes, time.monotonic() - began, command))
    if any(each.lost or each.doubled or each.reader_errors for each in outcomes):
        raise SystemExit("Something was lost, doubled, or seen half.")


def _tell(outcome: Outcome) -> None:
    sys.stdout.write(f"{_row(outcome)}\n")
    sys.stdout.flush()


def _report(outcomes: list[Outcome], seconds: float, command: str) -> str:
    return _TEXT.format(
        command=command,
        version=__version__,
        machine=f"{platform.system()} {platform.machine()}, {len(_cpus())} CPUs",
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        minutes=seconds / 60,
        rows="\n".join(_row(outcome) for outcome in outcomes),
    )


def _cpus() -> set[int]:
    return os.sched_getaffinity(0)


def _row(outcome: Outcome) -> str:
    recovery = "–" if outcome.recovery_s is None else f"{outcome.recovery_s:.1f}"
    seen = "–" if outcome.reader_errors is None else outcome.reader_errors
    cells = (
        *(outcome.fault, outcome.times, outcome.lost, outcome.doubled, seen),
        *(recovery, outcome.ends),
    )
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
