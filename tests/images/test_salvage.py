"""What is left of a cut picture is shown; what holds no picture stays a reject."""

from pathlib import Path

import numpy as np

from artcluster.images.policy import PixelPolicy
from artcluster.images.thumbnail import decode_salvaged

PEOPLE = Path(__file__).parent.parent.parent / "examples/demo-archive/images/drawings/people"


def test_the_upper_part_of_a_cut_jpeg_is_seen() -> None:
    pixels, info = decode_salvaged((PEOPLE / "truncated.jpg").read_bytes(), PixelPolicy(), (64, 64))
    assert info.reject is None
    assert pixels is not None
    assert pixels.shape == (64, 64, 3)
    assert len(np.unique(pixels[:20].reshape(-1, 3), axis=0)) > 20


def test_texts_and_empty_files_show_nothing() -> None:
    for name, reason in (("not-an-image.jpg", "not-an-image"), ("empty.png", "empty")):
        pixels, info = decode_salvaged((PEOPLE / name).read_bytes(), PixelPolicy(), (64, 64))
        assert pixels is None
        assert info.reject is not None
        assert info.reject.reason == reason
