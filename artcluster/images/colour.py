"""Pictures of any of Pillow's modes, brought to 8-bit sRGB on white."""

import functools
import io

import numpy as np
from PIL import Image, ImageCms

_SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}

_LATTICE_STEPS = 9

_LARGEST_SHIFT = 1


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
    tags = getattr(image, "tag_v2", {})
    values = np.asarray(image)
    if image.mode == "I" and tags.get(_SAMPLE_FORMAT, (2,)) == _UNSIGNED:
        values = values.view(np.uint32)
    if image.mode.startswith("I;16"):
        bits = tags.get(_BITS_PER_SAMPLE, (16,))[0]
        grey = scale_to_uint8(values, (2**bits - 1, 65535))
    elif image.mode == "I":
        # Pillow has scaled a Netpbm's values to 16 bits already.
        grey = scale_to_uint8(values, (65535,) if image.format == "PPM" else (255, 65535))
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


_WHITE = (255, 255, 255)

_PROFILED = ("L", "RGB", "CMYK")


def to_rgb(image: Image.Image) -> Image.Image:
    """Return a loaded picture in mode RGB, as `PixelPolicy` states for each mode."""
    profile = image.info.get("icc_profile")
    if image.mode in DEEP_MODES:
        image = deep_to_grey(image)
    alpha = None
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("LA", "La") else "RGBA")
        alpha = image.getchannel("A")
        image = image.convert("L" if image.mode == "LA" else "RGB")
    if image.mode == "LAB":
        return lab_to_srgb(image)
    if image.mode not in _PROFILED:
        image = image.convert("L" if image.mode == "1" else "RGB")
    rgb = to_srgb(image, profile if isinstance(profile, bytes) else None)
    if alpha is None:
        return rgb
    on_white = Image.new("RGB", rgb.size, _WHITE)
    on_white.paste(rgb, mask=alpha)
    return on_white
