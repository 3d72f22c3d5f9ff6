"""One picture's bytes to 8-bit sRGB pixels of the wanted size, or the reason why not."""

import numpy as np
import simplejpeg
from PIL import Image, ImageFile, Jpeg2KImagePlugin

from artcluster.images import identify
from artcluster.images.colour import moves_colours, to_rgb, to_srgb
from artcluster.images.policy import PixelPolicy
from artcluster.images.rejects import ImageInfo, reject_of
from artcluster.images.resize import fit_box, orient, resize

_LEFT_OVER = 2


def scale_divisor(size_px: tuple[int, int], target_px: tuple[int, int]) -> int:
    """Return 4, 2 or 1: the largest that leaves twice the target on both sides.

    Both arguments are height and width. 1/8 and the odd fractions (3/8, …) are never used: they
    cost 10 dB and more against a full decode.

    >>> scale_divisor((2400, 3000), (224, 224)), scale_divisor((500, 3000), (224, 224))
    (4, 1)
    """
    for divisor in (4, 2):
        if all(
            side >= _LEFT_OVER * divisor * to for side, to in zip(size_px, target_px, strict=True)
        ):
            return divisor
    return 1


def decode_jpeg(blob: bytes, size_px: tuple[int, int], divisor: int) -> np.ndarray | None:
    """Decode a grey or three-channel JPEG to RGB at 1/divisor of its size.

    Strict: a stream with the slightest fault is left to Pillow to judge, so that what is rejected,
    and for what reason, does not depend on the path. Grey comes as RGB, which resizes faster.

    Args:
        blob: The file.
        size_px: Height and width in the header.
        divisor: 1, 2 or 4.

    Returns:
        uint8 array H×W×3, or None where libjpeg-turbo found any fault.
    """
    height, width = (-(-side // divisor) for side in size_px)
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(
            blob, "RGB", min_height=height, min_width=width, strict=True
        )
    except ValueError:
        return None
    return pixels if pixels.shape == (height, width, 3) else None


_CODING_STYLE = b"\xff\x52"

_LEVELS_OFFSET = 9


def resolution_levels(blob: bytes) -> int:
    """Return how many times a JPEG 2000's resolution can be halved; 0 where it cannot be told.

    Source: ISO/IEC 15444-1, A.6.1: the COD marker's number of decomposition levels.

    >>> resolution_levels(b"..." + _CODING_STYLE + bytes([0, 12, 0, 0, 0, 1, 1, 5]))
    5
    """
    at = blob.find(_CODING_STYLE) + _LEVELS_OFFSET
    return blob[at] if _LEVELS_OFFSET <= at < len(blob) else 0


def decode_image(
    blob: bytes, policy: PixelPolicy, size_px: tuple[int, int]
) -> tuple[np.ndarray | None, ImageInfo]:
    """Decode and resize one picture. Never raises over its bytes.

    Args:
        blob: The file.
        policy: What is done to the pixels.
        size_px: Height and width wanted.

    Returns:
        uint8 array H×W×3 and the picture's info; None and an info with a reject if it is refused.
    """
    with identify.pillow_limits(policy.max_pixels):
        try:
            image = identify.open_image(blob, policy)
            width, height = identify.upright_size(image)
        except Exception as error:
            return None, identify.refused_info(blob, reject_of("identify", error))
        name, raw_size = image.format, image.size
        try:
            pixels = None
            if name in ("JPEG", "MPO") and image.mode in ("L", "RGB"):
                pixels = _through_turbo(image, blob, policy, size_px)
            if pixels is None:
                pixels = _through_pillow(image, blob, policy, size_px)
        except Exception as error:
            return None, ImageInfo(width, height, name, reject_of("decode", error))
        if name == "PNG" and identify.orientation_of(image) in identify.TURNED:
            height, width = raw_size
    return pixels, ImageInfo(width, height, name, None)


def _through_turbo(
    image: ImageFile.ImageFile, blob: bytes, policy: PixelPolicy, size_px: tuple[int, int]
) -> np.ndarray | None:
    """Decode a grey or RGB JPEG with libjpeg-turbo; None where it found a fault."""
    orientation = identify.orientation_of(image)
    turned = orientation in identify.TURNED
    target = size_px[::-1] if turned else size_px
    divisor = 1
    if policy.decode == "scaled":
        divisor = _divisor((image.height, image.width), target, policy.fit)
    pixels = decode_jpeg(blob, (image.height, image.width), divisor)
    if pixels is None:
        return None
    profile = image.info.get("icc_profile")
    converts = moves_colours(profile, image.mode)
    if converts and policy.decode == "exact":
        pixels = _converted(pixels, image.mode, profile)
    box = fit_box(pixels.shape[:2], target, policy.fit)
    pixels = resize(pixels, target, box, turned=turned, exact=policy.decode == "exact")
    if converts and policy.decode == "scaled":
        pixels = _converted(pixels, image.mode, profile)
    return orient(pixels, orientation)


def _through_pillow(
    image: ImageFile.ImageFile, blob: bytes, policy: PixelPolicy, size_px: tuple[int, int]
) -> np.ndarray:
    """Decode a picture of any format with Pillow."""
    if policy.decode == "scaled" and image.format in ("JPEG", "MPO", "JPEG2000"):
        _shrink_on_load(image, blob, policy.fit, size_px)
    image.load()
    orientation = identify.orientation_of(image)
    turned = orientation in identify.TURNED
    target = size_px[::-1] if turned else size_px
    rgb = to_rgb(image)
    box = fit_box((rgb.height, rgb.width), target, policy.fit)
    pixels = resize(rgb, target, box, turned=turned, exact=policy.decode == "exact")
    return orient(pixels, orientation)


def _shrink_on_load(
    image: ImageFile.ImageFile, blob: bytes, fit: str, size_px: tuple[int, int]
) -> None:
    """Tell Pillow to decode a JPEG or a JPEG 2000 at a half or a quarter, where that is enough."""
    turned = identify.orientation_of(image) in identify.TURNED
    divisor = _divisor((image.height, image.width), size_px[::-1] if turned else size_px, fit)
    if isinstance(image, Jpeg2KImagePlugin.Jpeg2KImageFile):
        image.reduce = min(divisor.bit_length() - 1, resolution_levels(blob))
    else:
        image.draft(None, (image.width // divisor, image.height // divisor))


def _divisor(size_px: tuple[int, int], target_px: tuple[int, int], fit: str) -> int:
    left, top, right, bottom = fit_box(size_px, target_px, fit)
    return scale_divisor((bottom - top, right - left), target_px)


def _converted(pixels_HWC: np.ndarray, mode: str, profile: bytes | None) -> np.ndarray:
    """Apply a profile to pixels decoded as RGB from a JPEG of the given mode."""
    bands = np.ascontiguousarray(pixels_HWC[..., 0]) if mode == "L" else pixels_HWC
    return np.array(to_srgb(Image.fromarray(bands), profile))
