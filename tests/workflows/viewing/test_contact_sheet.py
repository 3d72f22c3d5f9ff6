"""Contact sheets: medoids first, real pictures, whatever the names and sizes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artcluster.errors import UsageError
from artcluster.images.policy import PixelPolicy
from artcluster.images.thumbnail import decode_thumbnail, inside
from artcluster.pages.sheets import Cell, draw_contact_sheet
from artcluster.workflows.runs import choose_run
from artcluster.workflows.viewing.contact_sheet import SheetSettings, cluster_sheet, clusters_of
from tests.cli.test_commands import run
from tests.curated import ASKED, Curated
from tests.workflows.jobs import make_job


def test_a_sheet_has_the_pictures_in_their_places() -> None:
    red, blue = Image.new("RGB", (100, 50), "red"), Image.new("RGB", (40, 100), "blue")
    cells = [Cell(red, "a" * 200, True), Cell(blue, "二\x07\n"), Cell(None, "c", missing="gone")]
    sheet = draw_contact_sheet("Title", "x" * 900, cells, columns=2, cell_px=100)
    pixels = np.array(sheet)
    reds = np.argwhere((pixels == (255, 0, 0)).all(axis=2))
    blues = np.argwhere((pixels == (0, 0, 255)).all(axis=2))
    assert len(reds) == 100 * 50
    assert len(blues) == 40 * 100
    assert reds[:, 1].max() < blues[:, 1].min()
    below = np.array(sheet.crop((0, reds[:, 0].max() + 60, 130, sheet.height)))
    assert (below == (236, 236, 236)).all(axis=2).sum() > 5000
    assert pixels[reds[:, 0].min() - 4, reds[:, 1].min() - 4].tolist() == [179, 38, 30]


def test_thumbnails_keep_their_shape_and_turned_pictures_stand(curated: Curated) -> None:
    blob = (curated.images / ASKED).read_bytes()
    size = Image.open(curated.images / ASKED).size
    pixels, info = decode_thumbnail(blob, PixelPolicy(), (64, 64))
    assert pixels is not None
    height, width = inside(size[::-1], (64, 64))
    assert max(height, width) == 64
    assert (info.width, info.height) == size
    assert (pixels[height:] == 255).all()
    assert (pixels[:, width:] == 255).all()
    assert decode_thumbnail(b"<html>", PixelPolicy(), (64, 64))[0] is None


def test_a_cluster_is_drawn_with_its_medoids_first(
    curated: Curated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sheet.webp"
    arguments = ("sheet", curated.store, "--cluster", "0", "--size", "48", "--caption", "title")
    assert run(*arguments, "--out", out) == 0
    assert "sheet.webp" in capsys.readouterr().out
    with Image.open(out) as drawn:
        assert drawn.format == "WEBP"
        assert drawn.width > 48
    store = curated.open()
    shown, config = choose_run(store, None), make_job(store).config
    assert clusters_of(store, shown, config) == [0, 1, 2, 3]
    first = cluster_sheet(store, shown, 0, SheetSettings(count=1, cell_px=48), config)
    marked = (np.array(first) == (179, 38, 30)).all(axis=2)
    assert marked.any()
    for wrong in (["--cluster", "77"], ["--cluster", "0", "--caption", "nope"], []):
        assert run("sheet", curated.store, *wrong) == 2
    assert run("sheet", curated.store, "--cluster", "0", "--out", "sheet.gif") == 2


def test_runs_are_chosen_by_the_beginning_of_their_name(curated: Curated) -> None:
    store = curated.open()
    only = choose_run(store, None)
    assert not only.past
    assert choose_run(store, only.run_id[:4]).past
    for wrong in ({"wanted": "zz"}, {"wanted": None, "archive_id": "another"}):
        with pytest.raises(UsageError, match=r"no run|--archive-id"):
            choose_run(store, **wrong)
