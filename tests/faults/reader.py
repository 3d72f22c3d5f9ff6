"""A program that reads a store all the while: `python -m tests.faults.reader STORE OUT`.

It ends when its standard input does, and writes what it saw amiss as JSON.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from artcluster.location import Location
from artcluster.store import Store
from tests.faults.outcome import violations

_PAUSE_S = 0.1

ROOT = Path(__file__).parents[2]


@dataclass
class Seen:
    """What a reader saw: filled in once it has ended."""

    polls: int = 0
    wrong: list[str] = field(default_factory=list)


@contextmanager
def watched(store: Location, out: Path) -> Iterator[Seen]:
    """Have another process read a store while the block runs."""
    seen = Seen()
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.reader", str(out)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
        )
        assert process.stdin is not None
        place = {"uri": store.uri, "options": dict(store.options)}
        process.stdin.write(json.dumps(place).encode() + b"\n")
        process.stdin.flush()
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield seen
        finally:
            process.communicate()
        found = json.loads(out.read_text())
        seen.polls, seen.wrong = found["polls"], found["wrong"]


def main(out: str) -> None:
    place = json.loads(sys.stdin.readline())
    location = Location.parse(place["uri"], place["options"])
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    sys.stdout.write("reading\n")
    sys.stdout.flush()
    polls, most, wrong = 0, 0, []
    there = False
    while not ended.wait(_PAUSE_S) or not polls:
        polls += 1
        try:
            store = Store.open(location)
            there = True
            found, most = violations(store, most)
            wrong += found
        except Exception as error:
            # A server that is down cannot be read; a disk can at any moment, once a store is there.
            if there and location.is_local:
                wrong.append(repr(error))
    Path(out).write_text(json.dumps({"polls": polls, "wrong": wrong}))


if __name__ == "__main__":
    main(*sys.argv[1:])
