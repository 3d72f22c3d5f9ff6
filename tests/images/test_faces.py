"""Faces in arrays: which count, where they are in the picture handed in, and how they are cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from artcluster.images.faces import (
    Face,
    FaceLimits,
    crop_face,
    detect_faces,
    find_faces,
    inside_picture,
)
from tests.faces import PICTURES


def face(left: float, top: float, side: float, score: float = 0.9) -> Face:
    return Face(left, top, side, side, score, ((left, top),))


def test_the_detector_sees_a_small_picture_and_its_boxes_are_of_the_large_one() -> None:
    seen = []

    def detector(image: np.ndarray) -> list[Face]:
        seen.append(image.shape)
        return [face(10, 20, 30)]

    (found,) = find_faces(np.zeros((400, 1000, 3), np.uint8), detector, FaceLimits(longest_px=100))
    assert seen == [(40, 100, 3)]
    assert found == Face(100, 200, 300, 300, 0.9, ((100, 200),))


def test_unsure_and_small_faces_are_left_out_and_the_surest_come_first() -> None:
    given_faces = [face(0, 0, 50, 0.85), face(60, 0, 20, 0.99), face(0, 60, 50, 0.95)]
    given_faces += [face(60, 60, 50, 0.5), face(9, 9, 50, 0.9)]
    limits = FaceLimits(max_faces=2)
    found = find_faces(np.zeros((200, 200, 3), np.uint8), lambda image: given_faces, limits)
    assert [each.score for each in found] == [0.95, 0.9]


@given(
    st.integers(20, 60),
    st.integers(20, 60),
    st.floats(-10, 59),
    st.floats(-10, 59),
    st.floats(1, 90),
    st.floats(0, 1),
)
def test_a_cut_out_holds_pixels_of_the_picture_alone(
    height: int, width: int, left: float, top: float, side: float, margin: float
) -> None:
    # Red tells the column, green the row; blue is 255 within the picture.
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    image = np.stack([columns, rows, np.full_like(rows, 255)], axis=2).astype(np.uint8)
    cut = crop_face(image, face(left, top, side), 32, margin=margin)
    assert cut.shape == (32, 32, 3)
    assert (cut[..., 2] == 255).all()


def test_a_cut_out_is_centred_on_its_face() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[40:50, 60:70] = 255
    cut = crop_face(image, face(60, 40, 10), 40, margin=0.5)
    assert (cut[12:28, 12:28] == 255).all()
    assert (cut[:8] == 0).all()
    assert (cut[:, -8:] == 0).all()


def test_a_box_is_cut_to_the_picture() -> None:
    cut = inside_picture(face(-5, 90, 20), height=100, width=80)
    assert (cut.left, cut.top, cut.width, cut.height) == (0, 90, 15, 10)


@pytest.mark.parametrize(
    ("name", "box"),
    [
        ("obama-portrait.jpg", (157, 36, 100, 141)),
        ("hopper-portrait.jpg", (146, 97, 137, 169)),
        ("cat.jpg", None),
        ("coffee.jpg", None),
    ],
)
def test_faces_of_photographs_are_found(name: str, box: tuple[int, ...] | None) -> None:
    image = np.array(Image.open(PICTURES / name).convert("RGB"))
    found = find_faces(image, detect_faces)
    assert len(found) == (box is not None)
    if box is not None:
        (one,) = found
        assert np.allclose((one.left, one.top, one.width, one.height), box, atol=8)
        eyes, mouth = one.landmarks[:2], one.landmarks[3:]
        assert eyes[0][0] < eyes[1][0]
        assert mouth[0][0] < mouth[1][0]
        assert max(y for _, y in eyes) < min(y for _, y in mouth)


def test_a_read_only_and_a_grey_picture_are_no_trouble() -> None:
    image = np.array(Image.open(PICTURES / "hopper-portrait.jpg").convert("L").convert("RGB"))
    image.flags.writeable = False
    assert len(find_faces(image, detect_faces)) == 1
    assert find_faces(np.zeros((1, 1, 3), np.uint8), detect_faces) == []
