"""Drivers killed at random moments of every stage, and cleanings."""

import json
import random
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from artcluster.location import Location
from artcluster.schema import RUNS
from artcluster.store import Store
from tests.faults.driver import Driver, finished
from tests.faults.outcome import Outcome, doubled, lost
from tests.faults.reader import watched
from tests.workflows.jobs import copy_pictures

_FIRST = 24
_A_ROUND = 4
STAGES: dict[str, str] = {
    "embed": "embeddings/embedder_id=*/*.parquet",
    "commit": "images/_delta_log/*.json",
    "cluster": "models/*/model.json",
    "write-back": "assignments/model_id=*/*.parquet",
}
"""What a driver has written once it is in each stage."""


def files(store: Path, pattern: str) -> dict[str, tuple[int, int]]:
    """Return files with the marks that change if one is written again."""
    found = {}
    for file in store.glob(pattern):
        seen = file.stat()
        found[str(file)] = (seen.st_ino, seen.st_mtime_ns)
    return found


def wait_for(condition: Callable[[], bool], driver: Driver) -> bool:
    """Wait for something that a driver does; False where it ended before."""
    while not condition():
        if not driver.running:
            return False
        time.sleep(0.002)
    return True


def drivers_killed(folder: Path, times: int) -> Outcome:
    """Kill jobs in each stage in turn; each begins with new pictures, and asks for new clusters."""
    chance = random.Random(times)
    images, store = folder / "images", folder / "store"
    copy_pictures(images, _FIRST)
    killed = dict.fromkeys(STAGES, 0)
    with watched(Location.parse(store), folder / "reader.json") as seen:
        for number in range(times):
            if number:
                copy_pictures(images, _A_ROUND, start=_FIRST + _A_ROUND * (number % 70))
            stage = list(STAGES)[number % len(STAGES)]
            before = files(store, STAGES[stage])
            driver = _start(store, images, folder, number)
            pattern = STAGES[stage]
            reached = wait_for(lambda: files(store, pattern) != before, driver)  # noqa: B023
            assert reached, driver.text()[-2000:]
            # Into whatever it does just then.
            time.sleep(chance.uniform(0, 0.03))
            driver.kill()
            killed[stage] += 1
        shards, rows = files(store, STAGES["embed"]), _vectors(store)
        driver = Driver("run", images, store, log=folder / "driver.log")
        recovery_s = finished(driver)
        after = files(store, STAGES["embed"])
        assert {name: after[name] for name in shards} == shards, "a shard was written again"
        assert _embedded(driver.text()) == _vectors(store) - rows, "what a shard held was embedded"
        # What came while a plan was unfinished is seen by the job after the one that ends it.
        finished(Driver("run", images, store, log=folder / "driver.log"))
    opened = Store.open(store)
    where = ", ".join(f"{count} in {stage}" for stage, count in killed.items() if count)
    return Outcome(
        "the driver is killed (SIGKILL) at random moments",
        times,
        lost(opened, images),
        doubled(opened),
        len(seen.wrong),
        recovery_s,
        f"{where}; the same command goes on; a reader looked {seen.polls} times",
    )


def _start(store: Path, images: Path, folder: Path, number: int) -> Driver:
    """Start a run, or an update that fits a model anew, in turn."""
    settings = {"cluster.seed": number, "cluster.k": 2 + number % 3}
    has_run = (store / "runs").exists() and Store.open(store).table(RUNS).rows() > 0
    if number % 2 and has_run:
        return Driver(
            "update", images, store, "--refit", log=folder / "driver.log", settings=settings
        )
    return Driver("run", images, store, log=folder / "driver.log", settings=settings)


def cleanings_killed(folder: Path, times: int) -> Outcome:
    """Kill `vacuum` at random moments of its work, on a fresh copy of one store each time."""
    chance = random.Random(times)
    images = folder / "images"
    copy_pictures(images, 12)
    made = folder / "made"
    for k in (2, 3):
        finished(Driver("run", images, made, log=folder / "log", settings={"cluster.k": k}))
    vacuum = {
        **{"vacuum.keep_runs": 1, "vacuum.keep_days": 0, "vacuum.merge_files": 2},
        **{"vacuum.keep_files_hours": 0, "vacuum.keep_unfinished_days": 0},
    }
    gone = twice = wrong = polls = 0
    recovery_s = 0.0
    for number in range(times):
        store = Path(shutil.copytree(made, folder / f"store-{number}"))
        before = set(store.rglob("*"))
        with watched(Location.parse(store), folder / "reader.json") as seen:
            driver = Driver("vacuum", store, "--yes", log=folder / "log", settings=vacuum)
            wait_for(lambda: set(store.rglob("*")) != before, driver)  # noqa: B023
            time.sleep(chance.uniform(0, 0.4))
            driver.kill()
            again = Driver("vacuum", store, "--yes", log=folder / "log", settings=vacuum)
            recovery_s = max(recovery_s, finished(again))
        opened = Store.open(store)
        assert opened.table(RUNS).rows() == 1
        gone, twice = gone + lost(opened, images), twice + doubled(opened)
        wrong, polls = wrong + len(seen.wrong), polls + seen.polls
        shutil.rmtree(store)
    return Outcome(
        "`vacuum` is killed (SIGKILL) at random moments",
        times,
        gone,
        twice,
        wrong,
        recovery_s,
        f"the next cleaning ends the work; a reader looked {polls} times",
    )


def graceful_shutdown(folder: Path, times: int) -> Outcome:
    """End drivers by SIGTERM, as a machine that is taken away with notice does."""
    images, store = folder / "images", folder / "store"
    # What is in hand is finished: there must be more than that left when the signal comes.
    copy_pictures(images, 4 * _FIRST)
    for number in range(times):
        before = len(files(store, STAGES["embed"]))
        driver = Driver("embed", images, store, log=folder / "driver.log")
        wait_for(lambda: len(files(store, STAGES["embed"])) > before, driver)  # noqa: B023
        driver.process.terminate()
        code = driver.end()
        if code == 0 and number:
            break
        assert code == 143, driver.text()[-2000:]
        assert "resume from the last commit" in driver.text()
    recovery_s = finished(Driver("embed", images, store, log=folder / "driver.log"))
    opened = Store.open(store)
    return Outcome(
        "the driver is ended politely (SIGTERM)",
        times,
        lost(opened, images),
        doubled(opened),
        None,
        recovery_s,
        "exit code 143; what was finished is committed, the same command goes on",
    )


def _vectors(store: Path) -> int:
    """Count the vectors in a store's shards, committed or not."""
    return sum(pq.read_metadata(file).num_rows for file in store.glob(STAGES["embed"]))


def _embedded(text: str) -> int:
    """Return how many contents a job says that it embedded."""
    found = re.search(r"^\{.*", text, re.DOTALL | re.MULTILINE)
    assert found, text
    return int(json.loads(found[0])["embedding"]["embedded"])
