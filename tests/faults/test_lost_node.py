"""A machine of two is lost while an archive is embedded: every image once all the same."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from artcluster.store import Store
from tests.stages.jobs import copy_pictures

ROOT = Path(__file__).parents[2]
PICTURES = 48


@pytest.mark.ray
@pytest.mark.faults
@pytest.mark.timeout(900)
def test_every_image_once_though_a_machine_is_lost(tmp_path: Path) -> None:
    copy_pictures(tmp_path / "images", PICTURES)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.faults.lost_node"),
            *(str(tmp_path / "images"), str(tmp_path / "store")),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert (outcome["machines"], outcome["left"]) == (2, 1)
    assert outcome["summary"]["images"] == PICTURES
    store = Store.open(tmp_path / "store")
    contents = store.table("embeddings").read(["content_id"])["content_id"].to_pylist()
    assert len(contents) == len(set(contents)) == PICTURES
    paths = store.table("images").read(["path"])["path"].to_pylist()
    assert len(paths) == len(set(paths)) == PICTURES
