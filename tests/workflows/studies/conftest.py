"""An archive of real drawings with genres and styles, some missing, one huge picture."""

import csv
import pickle
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from artcluster.executors.local import InProcessExecutor
from artcluster.workflows.embedding.embed import embed_archive
from tests.workflows.jobs import copy_pictures, make_job

PICTURES = 28
GENRES = ["still life"] * 12 + ["Portrait"] * 9 + ["<b>poster</b>"] * 3 + ["map"] * 2 + ["", "gone"]


@pytest.fixture(scope="session")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 28 pictures: 12, 9, 3 and 2 of a genre, one without, and one gone since."""
    folder = tmp_path_factory.mktemp("studied")
    copies = copy_pictures(folder / "images", PICTURES)
    with Image.open(copies[0]) as opened:
        opened.convert("RGB").resize((640, 420)).save(folder / "images" / copies[0].name)
    rows = [
        (copy.name, genre, "modern" if number % 2 else "old")
        for number, (copy, genre) in enumerate(zip(copies, GENRES, strict=True))
    ]
    rows[3] = (rows[3][0], rows[3][1], "rare")
    with (folder / "works.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "genre", "style"), *rows])
    job = make_job(folder / "store", metadata__source=str(folder / "works.csv"))
    embed_archive(job, str(folder / "images"))
    copies[-1].unlink()
    return folder / "store"


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training gets copies of its loop and its loaders, as it does on another machine."""
    here = InProcessExecutor.train

    def train(self: InProcessExecutor, loop: Any, data: Any, **named: Any) -> Any:
        loop, data = pickle.loads(pickle.dumps((loop, data)))
        return here(self, loop, data, **named)

    monkeypatch.setattr(InProcessExecutor, "train", train)
