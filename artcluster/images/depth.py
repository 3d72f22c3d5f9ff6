"""Grey pictures of more than 8 bits, brought to 8 bits without clipping."""

import numpy as np
from PIL import Image

DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")

_BITS_PER_SAMPLE = 258
_PHOTOMETRIC = 262
_SAMPLE_FORMAT = 339
_UNSIGNED = (1,)
_WHITE_IS_ZERO = 0


def deep_to_grey(image: Image.Image) -> Image.Image:
    """Return an 8-bit grey picture, with an alpha channel where a colour key marks transparency.

    Args:
        image: A loaded picture of one of `DEEP_MODES`.
    """
    tags = getattr(image, "tag_v2", {})
    values = np.asarray(image)
    if image.mode == "I" and tags.get(_SAMPLE_FORMAT, (2,)) == _UNSIGNED:
        values = values.view(np.uint32)
    if image.mode.startswith("I;16"):
        bits = tags.get(_BITS_PER_SAMPLE, (16,))[0]
        grey = scale_to_uint8(values, (2**bits - 1, 65535))
    elif image.mode == "I":
        grey = scale_to_uint8(values, (255, 65535))
    else:
        grey = scale_to_uint8(values, (1, 255, 65535))
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 255 - grey
    result = Image.fromarray(grey)
    key = image.info.get("transparency")
    if isinstance(key, int):
        result.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return result


def scale_to_uint8(values_HW: np.ndarray, ceilings: tuple[float, ...]) -> np.ndarray:
    """Scale linearly to 0…255 by the first ceiling that holds all values.

    Where none does, or where a value is negative, by the array's own lowest and highest value.
    NaN and −inf count as the lowest finite value, +inf as the highest.

    >>> scale_to_uint8(np.array([[0, 32768, 65535]]), (255, 65535)).tolist()
    [[0, 128, 255]]
    >>> scale_to_uint8(np.array([[-1.0, 0.0, 1.0]]), (1, 255)).tolist()
    [[0, 128, 255]]
    """
    if values_HW.dtype.kind == "f":
        finite = values_HW[np.isfinite(values_HW)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        values_HW = np.nan_to_num(values_HW, nan=low, posinf=high, neginf=low)
    else:
        low, high = float(values_HW.min()), float(values_HW.max())
    bottom, top = low, high
    if low >= 0:
        bottom, top = 0.0, next((c for c in ceilings if high <= c), high)
        if top not in ceilings:
            bottom = low
    span = (top - bottom) or 1.0
    scaled = (values_HW.astype(np.float32) - np.float32(bottom)) * np.float32(255.0 / span)
    levels: np.ndarray = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return levels
