"""Damaged pictures: how much of one is missing, and what is there, where little enough is.

One share, `PixelPolicy.max_missing_share`, decides between a picture that is read, and marked as
damaged, and a reject. It is counted in rows, of JPEGs and of all formats whose decoder hands out
rows as they come; others (WebP, AVIF, HEIC, GIF, JPEG 2000) must be whole.
"""

import io
from collections.abc import Callable

import numpy as np
import simplejpeg
from PIL import Image, ImageFile

from artcluster.images.policy import PixelPolicy
from artcluster.images.rejects import Refused, Reject, reason_of_message

_END_OF_IMAGE = b"\xff\xd9"

_NOT_THERE = 128
"""What libjpeg makes of blocks whose data is missing, in every channel."""

_EIGHTH = 8

_MOST_PIXELS = 200_000_000
"""Of a picture whose rows are told from two decodings, held in memory at once."""


def end_marked(blob: bytes) -> bytes:
    """Return a JPEG with an end marker behind it, which a sound one does not mind."""
    return blob + _END_OF_IMAGE


def jpeg_damage(
    blob: bytes, colours: str, size_px: tuple[int, int], policy: PixelPolicy
) -> str | None:
    """Say what a JPEG lacks; None for a sound one.

    The picture is decoded at an eighth, strictly and then leniently. What was not in the file is
    flat mid-grey down to the last row.

    Args:
        blob: The file.
        colours: "RGB" for one of one or three channels, "CMYK" for one of four.
        size_px: Height and width in the header.
        policy: How much may be missing.

    Raises:
        Refused: More is missing.
        ValueError: libjpeg-turbo can make nothing of it.
    """
    height, width = (-(-side // _EIGHTH) for side in size_px)

    def decode(data: bytes, strict: bool) -> np.ndarray:
        pixels: np.ndarray = simplejpeg.decode_jpeg(
            data, colours, min_height=height, min_width=width, strict=strict
        )
        return pixels

    try:
        decode(blob, strict=True)
        return None
    except ValueError:
        pass
    try:
        decode(end_marked(blob), strict=True)
        return "the end marker is missing, no pixel is"
    except ValueError as fault:
        words = str(fault)
    pixels = decode(end_marked(blob), strict=False)
    is_there = (pixels != _NOT_THERE).any(axis=(1, 2))
    return _judged(float(1 - _rows_to(is_there) / len(is_there)), words, policy)


def partly_loaded(
    open_again: Callable[[], Image.Image], fault: Exception, policy: PixelPolicy
) -> tuple[Image.Image, str]:
    """Return a picture that failed to load with the rows that there are, and what it lacks.

    It is decoded onto two grounds: a pixel that differs was not in the file.

    Args:
        open_again: Opens the picture anew.
        fault: What its decoder said.
        policy: How much may be missing.

    Raises:
        Refused: More is missing.
        Exception: The fault itself, where rows cannot be counted.
    """
    on_grey = _loaded_onto(open_again(), _NOT_THERE)
    on_black = _loaded_onto(open_again(), 0)
    if on_grey is None or on_black is None:
        raise fault
    differ = np.asarray(on_grey) != np.asarray(on_black)
    is_there = ~differ.reshape(*differ.shape[:2], -1).any(axis=2)
    missing = 1 - float(is_there.mean())
    return on_grey, _judged(missing, str(fault), policy)


def _judged(missing_share: float, words: str, policy: PixelPolicy) -> str:
    if missing_share > policy.max_missing_share:
        detail = (
            f"{missing_share:.0%} of the rows are missing, images.max_missing_share allows "
            f"{policy.max_missing_share:.0%}: {words}"
        )
        told = reason_of_message(words)
        raise Refused(Reject("decode", "corrupt" if told == "corrupt" else "truncated", detail))
    if missing_share:
        return f"{missing_share:.1%} of the rows are missing: {words}"
    return f"no row is missing, but: {words}"


def _rows_to(is_there_H: np.ndarray) -> int:
    """Return the number of rows up to the last that is there."""
    found = np.flatnonzero(is_there_H)
    return int(found[-1]) + 1 if len(found) else 0


def _loaded_onto(image: Image.Image, ground: int) -> Image.Image | None:
    """Load what there is onto a ground; None where the decoder brings a ground of its own."""
    if not isinstance(image, ImageFile.ImageFile) or image.width * image.height > _MOST_PIXELS:
        return None
    prepared = Image.new(image.mode, image.size)
    bands = len(prepared.getbands())
    prepared.paste((ground,) * bands if bands > 1 else ground, (0, 0, *image.size))
    memory = prepared.im
    image.im = memory
    try:
        image.load()
    except MemoryError:
        raise
    except Exception:
        image.tile = []
    return image if image.im is memory else None


def lenient_png(blob: bytes) -> Image.Image | None:
    """Open a PNG whose texts, profiles or EXIF are broken or too large without those.

    Only the pixels and what shows them must be sound. To be called where opening has failed.

    Returns:
        The picture; None for what is no PNG, or is broken beyond that.
    """
    if not blob.startswith(b"\x89PNG"):
        return None
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        image = Image.open(io.BytesIO(blob), formats=["PNG"])
    except Exception:
        return None
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
    return image if image.width and image.height else None
