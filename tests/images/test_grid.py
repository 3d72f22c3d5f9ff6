"""Every layout against what was encoded, and that against a library which does not read it here."""

import io
from collections.abc import Callable, Iterator

import imagecodecs
import numpy as np
import pytest
import tifffile

from artcluster.images import identify
from artcluster.images.decode import decode_image
from artcluster.images.levelled import LevelledPicture
from artcluster.images.policy import PixelPolicy
from tests.images import grid
from tests.images.grid import Case

EXACT = PixelPolicy(decode="exact")


def wrong(case: Case) -> str | None:
    """Return what is wrong with the pixels of a case."""
    pixels, info = decode_image(case.blob, EXACT, case.samples.shape[:2])
    if pixels is None:
        return f"{case.name}: {info.reject}"
    off = float(np.abs(pixels - case.rgb).max())
    return f"{case.name}: {off:.1f} levels off" if off > case.tolerance else None


@pytest.mark.parametrize(
    ("cases", "least"),
    [
        (grid.tiff_cases, 1100),
        (grid.coded_tiff_cases, 250),
        (grid.packed_tiff_cases, 800),
        (grid.pillow_tiff_cases, 120),
        (grid.jpeg_2000_cases, 130),
    ],
)
def test_every_layout_has_its_pixels(cases: Callable[[], Iterator[Case]], least: int) -> None:
    found = [wrong(case) for case in cases()]
    assert len(found) >= least
    assert [each for each in found if each] == []


@pytest.mark.parametrize("cases", [grid.tiff_cases, grid.packed_tiff_cases, grid.pillow_tiff_cases])
def test_another_library_reads_the_same_samples(cases: Callable[[], Iterator[Case]]) -> None:
    """libtiff where tifffile reads here, tifffile where libtiff does."""
    compared, different = 0, []
    for number, case in enumerate(cases()):
        if number % 3:
            continue
        samples = reread(case.blob)
        if samples is not None:
            compared += 1
            expected = case.samples
            if samples.ndim == 3 and samples.shape != expected.shape:
                samples = np.moveaxis(samples, 0, -1)
            if not np.array_equal(samples.reshape(expected.shape), expected):
                different.append(case.name)
    assert compared >= 30
    assert different == []


def reread(blob: bytes) -> np.ndarray | None:
    """Return a TIFF's samples by the library that is not used for it; None where it cannot."""
    image = identify.open_image(blob, EXACT)
    page = tifffile.TiffFile(io.BytesIO(blob)).pages.first
    if page.photometric in (tifffile.PHOTOMETRIC.SEPARATED, tifffile.PHOTOMETRIC.YCBCR):
        return None  # libtiff converts them
    if page.bitspersample == 24 and page.dtype != np.float32:
        return None  # libtiff leaves the order of three bytes to its caller
    if not isinstance(image, LevelledPicture):
        return page.asarray()
    try:
        samples = imagecodecs.tiff_decode(blob)
    except imagecodecs.TiffError:
        return None
    return np.asarray(samples)
