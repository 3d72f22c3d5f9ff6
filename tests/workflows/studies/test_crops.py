"""Pictures become crops: whole, in slices, or their faces; what cannot be read is counted."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artcluster.archive.fetch import FetchSettings
from artcluster.config import ImageSettings
from artcluster.images.policy import PixelPolicy
from artcluster.location import Location
from artcluster.store import Store
from artcluster.workflows.studies.crop_decoding import CropSettings, DecodeCrops, PictureSource
from artcluster.workflows.studies.crops import faces_installed
from tests.absent import absent
from tests.faces import PICTURES

PORTRAIT, CAT = PICTURES / "hopper-portrait.jpg", PICTURES / "cat.jpg"


def source(file: Path, *, face: bool = False) -> PictureSource:
    content_id = hashlib.sha256(file.read_bytes()).hexdigest()
    return PictureSource(content_id, str(file), file.stat().st_size, face)


def test_faces_slices_and_what_cannot_be_read(tmp_path: Path) -> None:
    if not faces_installed():
        absent("yuface")
    cut, gone, changed = (tmp_path / f"{name}.jpg" for name in ("cut", "gone", "changed"))
    for file in (cut, gone, changed):
        file.write_bytes(CAT.read_bytes()[: 900 if file == cut else None] + file.name.encode())
    sources = [
        source(PORTRAIT, face=True),
        source(PORTRAIT),
        source(CAT, face=True),
        *(source(file) for file in (cut, gone, changed)),
    ]
    gone.unlink()
    changed.write_bytes(PORTRAIT.read_bytes())
    store = Store.open(tmp_path / "store", create=True)
    with Image.open(PORTRAIT) as opened:
        slice_px = opened.height // 2
    step = DecodeCrops(
        store,
        Location.parse(PICTURES),
        "pixels/study-test",
        PixelPolicy(),
        CropSettings(32, slice_px, 6),
        ImageSettings(),
        FetchSettings(),
    )()
    number, chunk = step((7, sources))
    assert number == 7
    assert chunk.faces == 1
    # The face is one crop, whole the portrait is cut in slices; a cat has no face.
    assert chunk.crops[0] == 1
    assert chunk.crops[1] >= 2
    assert chunk.content_ids == tuple(each.content_id for each in sources[:3])
    assert chunk.missing == {"truncated": 1, "gone": 1, "changed": 1}
    array = np.load(tmp_path / "store" / chunk.array)
    assert array.shape == (sum(chunk.crops), 32, 32, 3)
    # What the face shows is another, larger part of the picture than any slice.
    assert not any((array[0] == other).all() for other in array[1:])
    listed = next(path for path in store.list("pixels/study-test") if path.endswith(".json"))
    assert json.loads(store.read_bytes(listed))["faces"] == 1
    for file in (tmp_path / "store" / "pixels").rglob("*.npy"):
        file.unlink()
    assert step((8, sources)) == (8, chunk), "known chunks are not decoded again"


@pytest.mark.parametrize("most", [1, 4])
def test_slices_of_one_picture_are_at_most_what_is_allowed(tmp_path: Path, most: int) -> None:
    store = Store.open(tmp_path / "store", create=True)
    step = DecodeCrops(
        store,
        Location.parse(PICTURES),
        "pixels/study-test",
        PixelPolicy(),
        CropSettings(16, 16, most),
        ImageSettings(),
        FetchSettings(),
    )()
    _, chunk = step((0, [source(CAT)]))
    assert 1 <= chunk.crops[0] <= most
