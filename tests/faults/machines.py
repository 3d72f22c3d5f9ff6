"""Actors that exit and machines that are lost, on a Ray cluster that begins with one CPU."""

import json
import subprocess
import sys
from pathlib import Path

from artcluster.location import Location
from artcluster.store import Store
from tests.faults.outcome import Outcome, doubled, lost
from tests.faults.reader import watched

ROOT = Path(__file__).parents[2]


def machines_fail(folder: Path) -> list[Outcome]:
    """Lose an actor on a cluster of one CPU, then a machine of two."""
    store, images = folder / "store", folder / "images"
    with watched(Location.parse(store), folder / "reader.json") as seen:
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.ray_machines", str(folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["exited"]
    assert (found["machines"], found["left"]) == (2, 1)
    assert found["joined"]
    assert found["cluster_outlives_executor"]
    opened = Store.open(store)
    gone, twice, wrong = lost(opened, images), doubled(opened), len(seen.wrong)
    looked = f"a reader looked {seen.polls} times"
    return [
        Outcome(
            "a cluster of one CPU, for tasks and an actor; the embedding actor exits",
            1,
            *(gone, twice, wrong),
            found["one_cpu_s"],
            f"both share the CPU; the actor is made anew and its part done again; {looked}",
        ),
        Outcome(
            "a node of a two-node cluster is removed",
            1,
            *(gone, twice, wrong),
            found["lost_s"],
            f"its parts are done on the other node, in the same job; {looked}",
        ),
    ]
