"""ICC profiles: from a picture's own colours to sRGB."""

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
