"""SIGTERM to real jobs at work: what is finished is committed, and the same command goes on."""

import json
from pathlib import Path

import pytest

from artcluster.cli import main
from artcluster.store import Store
from tests.cli.ends_itself import PART
from tests.faults.driver import Driver
from tests.faults.kills import wait_for
from tests.workflows.jobs import copy_pictures

PICTURES = 24
SETTINGS = {
    "embed.part_images": 2,
    # Nothing is committed before the end that is asked for.
    "embed.commit_every_images": 10_000,
}
GRANTED_S = 30
"""Schedulers kill after so long."""


def events(driver: Driver) -> list[dict]:
    lines = driver.text().splitlines()
    return [json.loads(line) for line in lines if line.startswith('{"at"')]


def told(driver: Driver, event: str) -> list[dict]:
    return [each for each in events(driver) if each["event"] == event]


def known_paths(store: Path) -> set[str]:
    images = Store.open(store).table("images")
    return set(images.read(["path"])["path"].to_pylist()) if images.exists() else set()


def test_a_job_that_embeds_ends_politely_and_the_same_command_completes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, store = tmp_path / "images", tmp_path / "store"
    copy_pictures(images, PICTURES)
    given = ("embed", images, store, "--log-format", "json")
    first = Driver(
        *given, log=tmp_path / "first.log", settings=SETTINGS, program="tests.cli.ends_itself"
    )
    assert wait_for(lambda: bool(told(first, "part")), first), first.text()
    code = first.process.wait(timeout=GRANTED_S)
    assert code == 143, first.text()
    finished = sum(part["images"] for part in told(first, "part"))
    assert finished >= 2 * PART, "the part in hand was not finished"
    assert finished < PICTURES
    assert len(known_paths(store)) == finished
    (commit,) = told(first, "commit")
    assert (commit["images"], commit["left"]) == (finished, PICTURES - finished)
    assert any(f"{PICTURES - finished} remain" in each["text"] for each in told(first, "message"))
    assert events(first)[-1]["event"] == "failed"
    with pytest.raises(SystemExit):
        main(["status", str(store), "--json"])
    status = json.loads(capsys.readouterr().out)
    assert [work["left"] for work in status["unfinished"]] == [PICTURES - finished]
    assert not status["writers"], "a lease was not given back"
    second = Driver(*given, log=tmp_path / "second.log", settings=SETTINGS)
    assert second.end() == 0, second.text()
    assert len(known_paths(store)) == PICTURES
    again = sum(part["embedded"] for part in told(second, "part"))
    assert again == PICTURES - finished, "what was committed was embedded again"
    vectors = Store.open(store).table("embeddings").read(["content_id"])["content_id"].to_pylist()
    assert len(vectors) == len(set(vectors)) == PICTURES
