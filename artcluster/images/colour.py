"""Pictures of any of Pillow's modes, brought to 8-bit sRGB on white."""

import functools
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageCms

Convert = Callable[[Image.Image], Image.Image]

Range = tuple[float, float]
"""The lowest and the highest value."""

_SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}
_LATTICE_STEPS = 9
_LARGEST_SHIFT = 1

_PIECE_PIXELS = 4_000_000

_VALUES_16 = 1 << 16


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the picture in sRGB, read through its ICC profile where that is usable.

    Args:
        image: Mode L, RGB or CMYK.
        profile: The embedded profile. A broken one, or one of another colour space than the
            picture's, is ignored; an RGB profile on a grey picture applies to it as grey RGB.
    """
    if profile:
        if image.mode == "L" and _colour_space(profile) == "RGB ":
            image = image.convert("RGB")
        transform = _transform(profile, image.mode)
        if transform is not None:
            return transform.apply(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def moves_colours(profile: bytes | None, mode: str) -> bool:
    """Return whether `to_srgb` would do more than expand grey to RGB."""
    if not profile:
        return False
    rgb_on_grey = mode == "L" and _colour_space(profile) == "RGB "
    return _transform(profile, "RGB" if rgb_on_grey else mode) is not None


def lab_to_srgb(image: Image.Image) -> Image.Image:
    """Return a LAB picture (CIELAB under D50, as in TIFF) in sRGB."""
    return _lab_transform().apply(image)


@functools.lru_cache(maxsize=1)
def _lab_transform() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )


@functools.lru_cache(maxsize=32)
def _colour_space(profile: bytes) -> str:
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space
    except Exception:
        return ""


@functools.lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform to sRGB, or None where there is nothing to convert, or no way to."""
    if _colour_space(profile) != _SPACES[mode]:
        return None
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.PERCEPTUAL,
        )
    except Exception:
        return None
    return None if mode != "CMYK" and _is_identity(transform, mode) else transform


def _is_identity(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Return whether no colour of a lattice moves by more than a level: the profile is sRGB's."""
    steps = np.linspace(0, 255, _LATTICE_STEPS if mode == "RGB" else 256).astype(np.uint8)
    if mode == "RGB":
        sample = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    else:
        sample = steps[np.newaxis]
    image = Image.fromarray(sample)
    moved = np.asarray(transform.apply(image)).astype(int)
    return bool(np.abs(moved - np.asarray(image.convert("RGB"))).max() <= _LARGEST_SHIFT)


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
    return _grey_converter(image)(image)


def _grey_converter(image: Image.Image) -> Convert:
    """Return `deep_to_grey` for a picture and for pieces of it, scaled as the whole is."""
    tags = getattr(image, "tag_v2", {})
    unsigned = False
    if tags and image.mode == "I":
        unsigned = tags.get(_SAMPLE_FORMAT, _UNSIGNED) == _UNSIGNED
    ceilings: tuple[float, ...] = (255, 65535)
    if image.mode.startswith("I;16"):
        ceilings = (2 ** tags.get(_BITS_PER_SAMPLE, (16,))[0] - 1, 65535)
    elif image.mode == "I" and image.format == "PPM":
        # Pillow has scaled a Netpbm's values to 16 bits already.
        ceilings = (65535,)
    elif image.mode == "F":
        ceilings = (1, 255, 65535)

    def values_of(piece: Image.Image) -> np.ndarray:
        values = np.asarray(piece)
        return values.view(np.uint32) if unsigned else values

    span: Range = (0.0, _VALUES_16 - 1.0)
    if ceilings[0] != _VALUES_16 - 1:
        span = joint_range(value_range(values_of(piece)) for piece in _rows_of(image))
    key = image.info.get("transparency")

    def convert(piece: Image.Image) -> Image.Image:
        values = values_of(piece)
        grey = scale_to_uint8(values, ceilings, span)
        if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
            grey = 255 - grey
        result = Image.fromarray(grey)
        if isinstance(key, int):
            result.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
        return result

    return convert


def _rows_of(image: Image.Image) -> Iterator[Image.Image]:
    """Yield a picture as pieces of its full width."""
    rows = max(1, _PIECE_PIXELS // image.width)
    if rows >= image.height:
        yield image
        return
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))


def value_range(values: np.ndarray) -> Range:
    """Return the lowest and highest finite value; (inf, −inf) where there is none.

    >>> value_range(np.array([np.nan, 2.0, np.inf, -1.0]))
    (-1.0, 2.0)
    """
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if values.size else (np.inf, -np.inf)


def joint_range(ranges: Iterable[Range]) -> Range:
    """Return the range of all pieces of a picture from those of each; (0, 0) of no values."""
    lows, highs = zip(*ranges, strict=True)
    low, high = min(lows), max(highs)
    return (low, high) if low <= high else (0.0, 0.0)


def scale_to_uint8(
    values: np.ndarray, ceilings: tuple[float, ...], span: Range | None = None
) -> np.ndarray:
    """Scale linearly to 0…255 by the first ceiling that holds all values.

    Where none does, or where a value is negative, by the lowest and highest value. NaN and −inf
    count as the lowest finite value, +inf as the highest.

    Args:
        values: Of any shape and type.
        ceilings: Lowest first.
        span: Lowest and highest value of the whole picture; by default those of `values`.

    >>> scale_to_uint8(np.array([[0, 32768, 65535]]), (255, 65535)).tolist()
    [[0, 128, 255]]
    >>> scale_to_uint8(np.array([[-1.0, 0.0, 1.0]]), (1, 255)).tolist()
    [[0, 128, 255]]
    """
    low, high = span or joint_range([value_range(values)])
    if values.dtype == np.uint16 and values.size > _VALUES_16:
        every = np.arange(_VALUES_16, dtype=np.uint32)
        table = scale_to_uint8(every, ceilings, (low, high))
        return np.take(table, values)
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    bottom, top = low, high
    if low >= 0:
        bottom, top = 0.0, next((c for c in ceilings if high <= c), high)
        if top not in ceilings:
            bottom = low
    number = np.float64 if values.dtype.itemsize > 4 else np.float32
    scaled: np.ndarray[Any, np.dtype[Any]] = values.astype(number)
    scaled -= bottom
    scaled *= 255.0 / ((top - bottom) or 1.0)
    levels: np.ndarray = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return levels


_WHITE = (255, 255, 255)
_PROFILED = ("L", "RGB", "CMYK")


def to_rgb(image: Image.Image) -> Image.Image:
    """Return a loaded picture in mode RGB, as `PixelPolicy` states for each mode."""
    return rgb_converter(image)(image)


def rgb_converter(image: Image.Image) -> Convert:
    """Return `to_rgb` for a loaded picture and for pieces cropped from it.

    A giant is converted piece by piece, so that it is never in memory twice.
    """
    profile = image.info.get("icc_profile")
    to_grey = _grey_converter(image) if image.mode in DEEP_MODES else None

    def convert(piece: Image.Image) -> Image.Image:
        if to_grey is not None:
            piece = to_grey(piece)
        alpha = None
        if piece.has_transparency_data:
            piece = piece.convert("LA" if piece.mode in ("LA", "La") else "RGBA")
            alpha = piece.getchannel("A")
            piece = piece.convert("L" if piece.mode == "LA" else "RGB")
        if piece.mode == "LAB":
            return lab_to_srgb(piece)
        if piece.mode not in _PROFILED:
            piece = piece.convert("L" if piece.mode == "1" else "RGB")
        rgb = to_srgb(piece, profile if isinstance(profile, bytes) else None)
        if alpha is None:
            return rgb
        on_white = Image.new("RGB", rgb.size, _WHITE)
        on_white.paste(rgb, mask=alpha)
        return on_white

    return convert


def compose(
    pixels_HWC: np.ndarray,
    mode: str,
    alpha_HW1: np.ndarray | None,
    *,
    associated: bool,
    profile: bytes | None,
) -> Image.Image:
    """Return 8-bit samples as a picture that `to_rgb` takes.

    Args:
        pixels_HWC: The colours.
        mode: L, RGB, CMYK, YCbCr or LAB, whose a* and b* are signed.
        alpha_HW1: Opacity. Pillow has none beside inks, YCbCr and LAB: those become RGB here.
        associated: Whether the colours are multiplied by it.
        profile: The ICC profile, which inks are read through before they lie beside an alpha.
    """
    height, width, _ = pixels_HWC.shape
    size = (width, height)
    if alpha_HW1 is None:
        return Image.frombytes(mode, size, pixels_HWC.tobytes())
    if mode not in ("L", "RGB"):
        if associated:
            pixels_HWC = np.minimum(pixels_HWC * 255 // np.maximum(alpha_HW1, 1).astype(int), 255)
        opaque = Image.frombytes(mode, size, pixels_HWC.astype(np.uint8).tobytes())
        if mode == "LAB":
            opaque = lab_to_srgb(opaque)
        rgb = to_srgb(opaque, profile) if mode == "CMYK" else opaque.convert("RGB")
        pixels_HWC, mode, associated = np.asarray(rgb), "RGB", False
    whole = np.concatenate([pixels_HWC, alpha_HW1], axis=-1)
    return Image.frombytes(f"{mode}{'a' if associated else 'A'}", size, whole.tobytes())
