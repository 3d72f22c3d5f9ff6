"""What `status` says of living and dead jobs, from real stores and real processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from artcluster.config import Config
from artcluster.errors import ArchiveError
from artcluster.store import Store
from artcluster.store.process import current_command
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.housekeeping.status import store_status
from tests.workflows.jobs import copy_pictures, make_job

TAKE_AND_DIE = """
import os, sys
from artcluster.store import Store
from artcluster.store.process import current_command
lease = Store.open(sys.argv[1]).lease("images=died")
lease.__enter__()
os._exit(1)
"""


def test_leases_of_the_living_and_the_dead(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store", create=True)
    subprocess.run([sys.executable, "-c", TAKE_AND_DIE, str(tmp_path / "store")], check=False)
    with store.lease("images=lives"):
        found = {writer.what: writer for writer in store_status(store, Config()).writers}
    assert found["images=died"].state == "dead"
    assert "takes it over" in found["images=died"].takeover
    assert found["images=lives"].state == "alive"
    assert "waits" in found["images=lives"].takeover
    assert found["images=lives"].command == current_command()
    assert [writer.what for writer in store_status(store, Config()).writers] == ["images=died"]


def test_a_broken_off_job_says_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = copy_pictures(tmp_path / "images", 12)
    job = make_job(tmp_path / "store", embed__part_images=4)
    stream = job.executor.stream

    def breaks_off(*given, **named):
        for number, part in enumerate(stream(*given, **named)):
            if number == 1:
                raise ArchiveError("of the test")
            yield part

    monkeypatch.setattr(job.executor, "stream", breaks_off)
    with pytest.raises(ArchiveError):
        embed_archive(job, str(tmp_path / "images"))
    status = store_status(job.store, job.config)
    (work,) = status.unfinished
    assert (work.what, work.images, work.left) == ("embedding", len(pictures), 8)
    assert "skips listing" in work.restart
    assert status.last_commit is not None
    assert not status.writers
    monkeypatch.undo()
    embed_archive(make_job(tmp_path / "store", embed__part_images=4), str(tmp_path / "images"))
    assert not store_status(job.store, job.config).unfinished
