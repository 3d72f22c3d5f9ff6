"""Faces in a picture: finding them with a detector that is handed in, and cutting them out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import numpy as np
from PIL import Image

from artcluster.errors import UsageError

LANDMARKS = 5
"""Points a detector gives of a face: two eyes, the nose, two corners of the mouth."""


@dataclass(frozen=True)
class Face:
    """A face in a picture, in pixels of that picture.

    Attributes:
        left: The box's left side; may be below 0 where a face is cut by the picture's edge.
        top: Its upper side; the same.
        width: Its width, above 0.
        height: Its height, above 0.
        score: The detector's confidence, 0 to 1.
        landmarks: (x, y) of the eyes, the nose and the corners of the mouth, left ones of the
            picture first.
    """

    left: float
    top: float
    width: float
    height: float
    score: float
    landmarks: tuple[tuple[float, float], ...]

    def scaled(self, factor_x: float, factor_y: float) -> "Face":
        """Return the same face in a picture resized by these factors.

        >>> Face(10, 20, 4, 6, 0.9, ((11, 22),)).scaled(2, 0.5)
        Face(left=20, top=10.0, width=8, height=3.0, score=0.9, landmarks=((22, 11.0),))
        """
        return Face(
            self.left * factor_x,
            self.top * factor_y,
            self.width * factor_x,
            self.height * factor_y,
            self.score,
            tuple((x * factor_x, y * factor_y) for x, y in self.landmarks),
        )


Detector = Callable[[np.ndarray], Sequence[Face]]
"""Finds the faces of a uint8 RGB picture H×W×3, in its own pixels and in any order."""


@dataclass(frozen=True)
class FaceLimits:
    """Which faces count. Part of what decides a face's vector, so of its embedder's contract.

    Attributes:
        longest_px: The picture is shrunk to this longest side for the detector.
        min_score: Faces that the detector is less sure of are left out.
        min_side_px: Faces with a smaller side, in the picture handed in, are left out: there is
            too little in them to tell people apart.
        max_faces: The faces of highest score are kept, so many at most.
    """

    longest_px: int = 960
    min_score: float = 0.8
    min_side_px: int = 24
    max_faces: int = 64


def find_faces(
    image_HW3: np.ndarray, detector: Detector, limits: FaceLimits = FaceLimits()
) -> list[Face]:
    """Find the faces of a picture, the surest first.

    Args:
        image_HW3: uint8 RGB, upright.
        detector: Finds faces in a picture of at most `limits.longest_px`.
        limits: Which faces count.

    Returns:
        Faces in pixels of the picture handed in.

    >>> sure, small = Face(1, 1, 30, 40, 0.9, ()), Face(5, 5, 3, 3, 0.95, ())
    >>> find_faces(np.zeros((50, 50, 3), np.uint8), lambda image: [small, sure]) == [sure]
    True
    """
    height, width = image_HW3.shape[:2]
    shrunk = shrink(image_HW3, limits.longest_px)
    factor_y, factor_x = height / shrunk.shape[0], width / shrunk.shape[1]
    found = [face.scaled(factor_x, factor_y) for face in detector(shrunk)]
    kept = [
        face
        for face in found
        if face.score >= limits.min_score and min(face.width, face.height) >= limits.min_side_px
    ]
    kept.sort(key=lambda face: (-face.score, face.top, face.left))
    return kept[: limits.max_faces]


def shrink(image_HW3: np.ndarray, longest_px: int) -> np.ndarray:
    """Return the picture with a longest side of at most so many pixels.

    >>> shrink(np.zeros((100, 50, 3), np.uint8), 10).shape
    (10, 5, 3)
    """
    height, width = image_HW3.shape[:2]
    scale = longest_px / max(height, width)
    if scale >= 1:
        return image_HW3
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(image_HW3).resize(size, Image.Resampling.BICUBIC))


def crop_face(
    image_HW3: np.ndarray, face: Face, size_px: int, *, margin: float = 0.25
) -> np.ndarray:
    """Cut a face out as a square, with some of what is around it.

    Args:
        image_HW3: uint8 RGB.
        face: The face, in pixels of the picture.
        size_px: Side of the result.
        margin: What is added on each side of the box's longer side, as a share of that side.

    Returns:
        uint8 array size_px × size_px × 3. A square that would leave the picture is moved inside,
        and one larger than the picture's shorter side made as small as that.

    >>> image = np.arange(100, dtype=np.uint8).reshape(10, 10, 1).repeat(3, 2)
    >>> crop_face(image, Face(8, 0, 4, 4, 1.0, ()), 6)[0, :, 0].tolist()
    [4, 5, 6, 7, 8, 9]
    """
    height, width = image_HW3.shape[:2]
    wanted = max(face.width, face.height) * (1 + 2 * margin)
    side = max(1, min(round(wanted), height, width))
    left = _moved_inside(face.left + (face.width - side) / 2, side, width)
    top = _moved_inside(face.top + (face.height - side) / 2, side, height)
    square = Image.fromarray(image_HW3[top : top + side, left : left + side])
    return np.array(square.resize((size_px, size_px), Image.Resampling.BICUBIC))


def _moved_inside(start: float, length: int, whole: int) -> int:
    return min(max(0, round(start)), whole - length)


def inside_picture(face: Face, height: int, width: int) -> Face:
    """Return a face with its box cut to the picture, in whole pixels.

    >>> inside_picture(Face(-3.2, 1.4, 8, 5, 0.9, ()), 6, 100)
    Face(left=0, top=1, width=5, height=5, score=0.9, landmarks=())
    """
    left, top = max(0, round(face.left)), max(0, round(face.top))
    right = min(width, round(face.left + face.width))
    bottom = min(height, round(face.top + face.height))
    left, top = min(left, width - 1), min(top, height - 1)
    return replace(
        face, left=left, top=top, width=max(1, right - left), height=max(1, bottom - top)
    )


PACKAGE = "yuface"


def detector_version() -> str:
    """Return the installed detector's version, which stands for its weights.

    Raises:
        UsageError: It is not installed.
    """
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        raise missing(PACKAGE) from None


def missing(package: str) -> UsageError:
    """Return the error that tells how to install what finding faces needs."""
    return UsageError(f"finding faces needs the package {package}: pip install 'artcluster[faces]'")


def detect_faces(image_HW3: np.ndarray) -> Sequence[Face]:
    """Find faces by libfacedetection. A `Detector`; deterministic.

    Args:
        image_HW3: uint8 RGB, best of at most 960 pixels a side.

    Returns:
        Faces of any confidence, in the picture's pixels.

    Source: Wu, Peng, Yu 2023, "YuNet: a tiny millisecond-level face detector"; licence BSD-3.

    Raises:
        UsageError: The package is not installed.
    """
    if find_spec(PACKAGE) is None:
        raise missing(PACKAGE)
    # Its wrapper only cuts by confidence, and warns over larger pictures.
    from yuface.yuface import detect

    found = detect(np.ascontiguousarray(image_HW3[:, :, ::-1]))
    return [_face(row) for row in np.asarray(found, np.float64).tolist()]


def _face(row: list[float]) -> Face:
    score, left, top, width, height, *rest = row
    points = rest[: 2 * LANDMARKS]
    landmarks = tuple(zip(points[::2], points[1::2], strict=True))
    return Face(left, top, width, height, score / 100, landmarks)
