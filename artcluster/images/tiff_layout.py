"""What the samples of a TIFF's page are, of those kinds that are read."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tifffile
from tifffile import PHOTOMETRIC

from artcluster.images.rejects import Refused, Reject

_KINDS = {
    PHOTOMETRIC.MINISWHITE: ("L", 1),
    PHOTOMETRIC.MINISBLACK: ("L", 1),
    PHOTOMETRIC.RGB: ("RGB", 3),
    PHOTOMETRIC.PALETTE: ("RGB", 1),
    PHOTOMETRIC.SEPARATED: ("CMYK", 4),
    PHOTOMETRIC.YCBCR: ("YCbCr", 3),
    PHOTOMETRIC.CIELAB: ("LAB", 3),
    PHOTOMETRIC.ICCLAB: ("LAB", 3),
}
"""Pillow's mode, and how many samples are colour."""

_ASSOCIATED, _ALPHA = 1, (1, 2, 999)

_JPEG = (7, 34892, 33007)

_APERIO_YCBCR = 33003

_INK_SET, _OTHER_INKS = 332, 2


@dataclass(frozen=True)
class Layout:
    """What the samples of a page are.

    Attributes:
        page: The page.
        dtype: Type of its samples.
        mode: Pillow's mode for the colour samples.
        colours: How many samples are colour, the first ones.
        alpha: Place of the alpha sample, or None.
        associated: Whether the colours are multiplied by alpha.
    """

    page: tifffile.TiffPage
    dtype: np.dtype[Any]
    mode: str
    colours: int
    alpha: int | None
    associated: bool

    @property
    def fills_its_range(self) -> bool:
        """Whether the type of the samples says what is black and what is white."""
        return self.dtype.kind in "bu" and self.page.bitspersample < 32

    @classmethod
    def of(cls, page: tifffile.TiffPage) -> "Layout":
        """Return the layout of a page.

        Raises:
            Refused: It is not read.
        """
        photometric = page.photometric
        if photometric not in _KINDS:
            name = getattr(photometric, "name", photometric)
            raise _refuse(f"photometric interpretation {name} is not read")
        mode, colours = _KINDS[PHOTOMETRIC(photometric)]
        bits = page.bitspersample
        if page.dtype is None or not isinstance(bits, int) or page.dtype.kind == "c":
            raise _refuse(f"{bits} bits of sample format {page.sampleformat} are not read")
        if 16 < bits < 32 and bits != 24:
            raise _refuse(f"{bits} bits are not read")
        if page.samplesperpixel < colours:
            raise _refuse(f"{page.samplesperpixel} samples a pixel for {mode}")
        if photometric == PHOTOMETRIC.SEPARATED and page.tags.valueof(_INK_SET) == _OTHER_INKS:
            raise _refuse("inks other than cyan, magenta, yellow and black are not read")
        whole_numbers = page.dtype.kind in "ui"
        if mode in ("YCbCr", "LAB") and not (whole_numbers and bits in (8, 16)):
            raise _refuse(f"{mode} of {bits} bits is not read")
        if photometric == PHOTOMETRIC.PALETTE and not (page.dtype.kind in "bu" and bits <= 16):
            raise _refuse(f"a palette of {bits} bits is not read")
        compression = int(page.compression)
        if compression != 1 and compression not in tifffile.TIFF.DECOMPRESSORS:
            name = getattr(page.compression, "name", compression)
            raise _refuse(f"compression {name} is not read")
        if photometric == PHOTOMETRIC.YCBCR and compression in _JPEG and page.planarconfig == 1:
            mode = "RGB"
        if compression == _APERIO_YCBCR:
            mode = "YCbCr"
        if page.is_subsampled and mode == "YCbCr" and page.planarconfig != 1:
            raise _refuse("subsampled colour in separate planes is not read")
        extra = page.extrasamples
        kinds_of_extra = extra if isinstance(extra, tuple) else (extra,)
        if not kinds_of_extra and photometric == PHOTOMETRIC.RGB and page.samplesperpixel == 4:
            kinds_of_extra = (2,)
        places = [place for place, kind in enumerate(kinds_of_extra) if kind in _ALPHA]
        alpha = colours + places[0] if places else None
        if alpha is not None and alpha >= page.samplesperpixel:
            alpha = None
        associated = alpha is not None and kinds_of_extra[places[0]] == _ASSOCIATED
        return cls(page, page.dtype, mode, colours, alpha, associated)


def _refuse(detail: str) -> Refused:
    return Refused(Reject("identify", "unsupported", f"TIFF: {detail}"))
