"""The face detector of the package `yuface`: libfacedetection, its weights compiled in."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import numpy as np

from artcluster.errors import UsageError
from artcluster.images.faces import LANDMARKS, Face

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
