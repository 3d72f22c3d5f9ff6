"""A small clustered store that the tests of looking and asking share: nothing writes to it."""

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from artcluster.store import Store
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.embedding.embed import embed_archive
from tests.workflows.jobs import DEMO, make_job

EVIL = "<img src=x onerror=alert(1)>.jpg"
EVIL_TITLE = "</figcaption><script>alert(1)</script>"
ASKED = "constellations/aztec/xonecuilli.jpg"


@dataclass(frozen=True)
class Curated:
    """Real pictures in nested folders, one with a name full of HTML, one that is none."""

    store: Path
    images: Path

    def open(self) -> Store:
        return Store.open(self.store)


def make_curated(folder: Path) -> Curated:
    images = folder / "images"
    found = sorted((DEMO / "images" / "constellations" / "aztec").glob("*.jpg"))
    found += sorted((DEMO / "images" / "drawings").rglob("*.jpg"))[::20][:14]
    rows = []
    for file in found:
        path = file.relative_to(DEMO / "images")
        (images / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, images / path)
        rows.append((str(path), path.parts[0], file.stem.replace("_", " ")))
    shutil.copy(DEMO / "images" / ASKED, images / "copy.jpg")
    shutil.copy(found[-1], images / "evil.jpg")
    # Other bytes, so that it is another content.
    (images / EVIL).write_bytes((images / "evil.jpg").read_bytes() + b"\0")
    rows.append((EVIL, "=1+1", EVIL_TITLE))
    (images / "page.jpg").write_text("<html>not found</html>")
    with (folder / "works.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "genre", "title"), *rows])
    settings = {"metadata__source": str(folder / "works.csv"), "metadata__join": "path"}
    embed_archive(make_job(folder / "store", **settings), str(images))
    job = make_job(folder / "store", cluster__method="kmeans", cluster__k=4)
    cluster_archive(job, None)
    return Curated(folder / "store", images)


@pytest.fixture(scope="session")
def curated(tmp_path_factory: pytest.TempPathFactory) -> Curated:
    """The store, made once a session; copy it where it shall change."""
    return make_curated(tmp_path_factory.mktemp("curated"))
