"""docs/architecture.md: its table names files that exist, few a change, and they are enough."""

import re
from pathlib import Path
from statistics import mean

import numpy as np
import pytest
from torch import nn

from artcluster.config import load_config
from artcluster.embedders import catalogue, networks
from artcluster.store import Store
from artcluster.workflows.embedding.embed import embed_archive
from tests.workflows.jobs import copy_pictures, make_job

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
OTHER_FOLDERS = ("jobs/", "deploy/", "docs/", "examples/")
MOST_FILES, MEAN_FILES = 6, 3


def changes() -> dict[str, list[str]]:
    """Read the table: files by change; one that is still to be written counts, too."""
    table = PAGE.read_text(encoding="utf-8").split("## Twenty ordinary changes")[1]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return {change: re.findall(r"`([\w/.]+)`", files) for change, files in rows[1:]}


def test_twenty_changes_take_few_files_that_exist() -> None:
    listed = changes()
    assert len(listed) == 20
    for change, files in listed.items():
        for file in files:
            place = ROOT if file.startswith(OTHER_FOLDERS) else ROOT / "artcluster"
            assert (place / file).exists(), f"{change}: {file}"
        assert 1 <= len(files) <= MOST_FILES, change
    assert mean(map(len, listed.values())) <= MEAN_FILES


def test_the_picture_is_drawn_from_its_source() -> None:
    source = (ROOT / "docs" / "architecture.dot").read_text(encoding="utf-8")
    drawn = (ROOT / "docs" / "images" / "architecture.svg").read_text(encoding="utf-8")
    drawn = drawn.replace("&#45;", "-").replace("&#160;", " ").replace("&#39;", "'")
    for label in re.findall(r'label="([^"]+)"', source):
        for line in label.split(r"\n"):
            assert line in drawn, f"{line!r}: run `make diagrams`"


def test_a_toy_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue and the table of networks are all that a backbone takes."""
    monkeypatch.setitem(catalogue.EMBEDDERS, "toy", catalogue.Backbone(3, input_px=16))
    monkeypatch.setitem(
        networks.TORCHVISION, "toy", lambda: nn.Sequential(nn.Conv2d(3, 3, 16), nn.Flatten())
    )
    copy_pictures(tmp_path / "images", 4)
    store = Store.open(tmp_path / "store", create=True)
    job = make_job(store, embed__backbone="random:toy", embed__engine="torch")
    assert embed_archive(job, str(tmp_path / "images")).embedded == 4
    vectors = store.table("embeddings").read(["embedding"])["embedding"].to_pylist()
    assert np.shape(vectors) == (4, 3)
    assert load_config(flags={"embed.backbone": "random:toy"}).embed.backbone == "random:toy"
