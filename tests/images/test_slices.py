"""Slices of huge pictures, and altered copies."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from artcluster.images.augment import augmented
from artcluster.images.decode import decode_image
from artcluster.images.policy import PixelPolicy
from artcluster.images.sandbox.decoder import Decoder
from artcluster.images.slices import DecodeSlices, cut_slices, slice_grid

SIDES = st.integers(1, 60_000)
DEMO = Path(__file__).parent.parent.parent / "examples" / "demo-archive" / "images"


@given(SIDES, SIDES, st.integers(1, 4000), st.integers(1, 40))
def test_a_grid_never_has_more_slices_than_allowed(
    height: int, width: int, slice_px: int, most: int
) -> None:
    rows, columns = slice_grid((height, width), slice_px, most)
    assert rows >= 1
    assert columns >= 1
    assert rows * columns <= most
    assert slice_grid((width, height), slice_px, most) == (columns, rows)


def test_slices_laid_side_by_side_are_the_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    slices = cut_slices(picture, 3, 4)
    assert slices.shape == (12, 4, 5, 3)
    rows = [np.concatenate(list(slices[start : start + 4]), axis=1) for start in (0, 4, 8)]
    np.testing.assert_array_equal(np.concatenate(rows), picture)
    with pytest.raises(ValueError, match="5×4 slices divide, got 12×20"):
        cut_slices(picture, 5, 4)


def test_a_decoder_cuts_what_is_huge_and_leaves_the_rest(tmp_path: Path) -> None:
    with Image.open(DEMO / "constellations/aztec/xonecuilli.jpg") as opened:
        source = opened.convert("RGB").resize((300, 210))
    huge, small = tmp_path / "huge.png", tmp_path / "small.png"
    source.save(huge)
    source.resize((120, 90)).save(small)
    (tmp_path / "broken.png").write_bytes(huge.read_bytes()[:500])
    blobs = [(tmp_path / name).read_bytes() for name in ("huge.png", "small.png", "broken.png")]
    policy = PixelPolicy(fit="crop")
    with Decoder(policy, (6 * 16, 16), decode_one=DecodeSlices(100, 6)) as decoder:
        batch = decoder.decode(blobs)
    assert [info.reject and info.reject.reason for info in batch.infos] == [
        None,
        None,
        "truncated",
    ]
    columns = batch.pixels_NHWC.reshape(2, 6, 16, 16, 3)
    whole, _ = decode_image(blobs[0], PixelPolicy(), (32, 48))
    assert whole is not None
    np.testing.assert_array_equal(columns[0], cut_slices(whole, 2, 3))
    # The small one is no grid: as the policy has it, and black below.
    cropped, _ = decode_image(blobs[1], policy, (16, 16))
    assert cropped is not None
    np.testing.assert_array_equal(columns[1, 0], cropped)
    assert not columns[1, 1:].any()


def test_altered_copies_are_seeded_and_alike() -> None:
    with Image.open(DEMO / "constellations/aztec/xonecuilli.jpg") as opened:
        picture = np.array(opened.convert("RGB").resize((64, 64)))
    copies = [augmented(picture, (3, number)) for number in range(8)]
    np.testing.assert_array_equal(copies[5], augmented(picture, (3, 5)))
    assert len({copy.tobytes() for copy in copies}) == 8
    for copy in copies:
        assert copy.shape == picture.shape
        assert copy.dtype == np.uint8
        # No empty corners: the mean colour hardly moves.
        assert abs(copy.mean() - picture.mean()) < 12
    with pytest.raises(ValueError, match="uint8 square"):
        augmented(picture[:, :32], (0,))
