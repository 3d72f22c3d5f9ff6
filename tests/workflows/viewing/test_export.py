"""Exports, as the programs they are for open them."""

import io
import json
import os
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from PIL import Image

from artcluster.store import Store
from artcluster.store.views import read_view
from artcluster.workflows.viewing.exports import TARGETS
from tests.absent import PEERS, absent
from tests.cli.test_commands import run
from tests.curated import ASKED, EVIL, EVIL_TITLE, Curated


def test_a_table_has_a_row_an_image(curated: Curated, tmp_path: Path) -> None:
    rows = len(read_view(curated.open(), "latest", "arrow"))
    for ending, read in (("csv", pl.read_csv), ("parquet", pl.read_parquet)):
        out = tmp_path / f"works.{ending}"
        assert run("export", curated.store, "--to", "csv", "--out", out) == 0
        frame = read(out)
        assert frame.columns[:5] == ["image", "x", "y", "cluster", "cluster_name"]
        assert len(frame) == rows
        evil = frame.filter(pl.col("path") == EVIL)
        assert evil["title"].to_list() == [EVIL_TITLE]
        assert evil["genre"].to_list() == ["=1+1"]


@pytest.mark.parametrize("program", TARGETS)
def test_a_wrong_ending_is_refused_before_any_work(
    program: str, curated: Curated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("export", curated.store, "--to", program, "--out", tmp_path / "x.xls") == 2
    assert TARGETS[program].endings[0] in capsys.readouterr().err
    assert run("export", "--help") == 0
    assert program in capsys.readouterr().out


def test_embedding_atlas_gets_pictures_and_vectors_or_a_map(
    curated: Curated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "atlas.parquet"
    assert run("export", curated.store, "--to", "embedding-atlas", "--out", out) == 0
    assert "--vector embedding --image image" in capsys.readouterr().out
    row = pl.read_parquet(out).filter(pl.col("path") == ASKED).to_dicts()[0]
    with Image.open(io.BytesIO(row["image"]["bytes"])) as picture:
        assert max(picture.size) <= 128
    assert len(row["embedding"]) == 512
    assert row["cluster"] in {"0", "1", "2", "3"}


def mapped(curated: Curated, tmp_path: Path) -> Path:
    """Copy the store and lay its images out on a line."""
    import pyarrow as pa

    from artcluster.schema import PROJECTIONS

    shutil.copytree(curated.store, tmp_path / "mapped")
    store = Store.open(tmp_path / "mapped")
    latest = read_view(store, "latest", "polars").unique("content_id")
    count = len(latest)
    columns = {
        "model_id": latest["model_id"].to_list(),
        "content_id": latest["content_id"].to_list(),
        "region": [""] * count,
        "x": [float(each) for each in range(count)],
        "y": [0.5] * count,
    }
    store.append(PROJECTIONS, pa.table(columns, PROJECTIONS.schema))
    return tmp_path / "mapped"


def test_embedding_atlas_opens_it(curated: Curated, tmp_path: Path) -> None:
    program = PEERS / "embedding-atlas" / "bin" / "embedding-atlas"
    if not program.exists():
        absent("Embedding Atlas (make peers)")
    out, app = tmp_path / "atlas.parquet", tmp_path / "app"
    assert run("export", mapped(curated, tmp_path), "--to", "embedding-atlas", "--out", out) == 0
    arguments = ["--x", "x", "--y", "y", "--image", "image", "--export-application", str(app)]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    subprocess.run([str(program), str(out), *arguments], check=True, timeout=200, env=offline)
    props = json.loads((app / "data" / "metadata.json").read_text())["props"]["data"]
    assert props["projection"] == {"x": "x", "y": "y"}
    assert pq.read_table(app / "data" / "dataset.parquet").num_rows > 20


IMPORT = """
import json, sys
from fiftyone.utils.data.importers import FiftyOneImageClassificationDatasetImporter
with FiftyOneImageClassificationDatasetImporter(labels_path=sys.argv[1]) as importer:
    rows = [
        [path, label.label, label.confidence, getattr(label, "title", None)]
        for path, _, label in importer
    ]
print(json.dumps(rows))
"""


def test_fiftyone_gets_labels_by_path(curated: Curated, tmp_path: Path) -> None:
    out = tmp_path / "labels.json"
    assert run("export", curated.store, "--to", "fiftyone", "--out", out) == 0
    found = json.loads(out.read_text())
    assert found["classes"] == ["0", "1", "2", "3"]
    evil = found["labels"][str(curated.images / EVIL)]
    assert evil["label"] in found["classes"]
    assert evil["attributes"]["title"] == EVIL_TITLE


def test_fiftyone_imports_them(curated: Curated, tmp_path: Path) -> None:
    python = PEERS / "fiftyone" / "bin" / "python"
    if not python.exists():
        absent("FiftyOne (make peers)")
    out = tmp_path / "labels.json"
    assert run("export", curated.store, "--to", "fiftyone", "--out", out) == 0
    done = subprocess.run(
        [str(python), "-c", IMPORT, str(out)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "FIFTYONE_DO_NOT_TRACK": "true"},
    )
    rows = {path: rest for path, *rest in json.loads(done.stdout.splitlines()[-1])}
    label, confidence, title = rows[str(curated.images / EVIL)]
    assert label in "0123"
    assert 0 < confidence <= 1
    assert title == EVIL_TITLE
