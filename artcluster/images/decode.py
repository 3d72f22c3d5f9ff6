"""One picture's bytes to 8-bit sRGB pixels of the wanted size, or the reason why not."""

import numpy as np
import simplejpeg
from PIL import Image, ImageFile

from artcluster.images import identify
from artcluster.images.colour import moves_colours, rgb_converter, to_srgb
from artcluster.images.damage import end_marked, jpeg_damage, partly_loaded
from artcluster.images.levelled import LevelledPicture
from artcluster.images.policy import PixelPolicy
from artcluster.images.rejects import ImageInfo, Refused, Reject, reject_of
from artcluster.images.resize import fit_box, is_giant, orient, resize, resize_giant
from artcluster.images.signatures import is_cut

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


def decode_jpeg(
    blob: bytes, size_px: tuple[int, int], divisor: int, *, strict: bool = True
) -> np.ndarray | None:
    """Decode a grey or three-channel JPEG to RGB at 1/divisor of its size.

    Grey comes as RGB, which resizes faster.

    Args:
        blob: The file.
        size_px: Height and width in the header.
        divisor: 1, 2 or 4.
        strict: Refuse a stream with the slightest fault.

    Returns:
        uint8 array H×W×3, or None where libjpeg-turbo found such a fault.
    """
    height, width = (-(-side // divisor) for side in size_px)
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(
            blob, "RGB", min_height=height, min_width=width, strict=strict
        )
    except ValueError:
        return None
    return pixels if pixels.shape == (height, width, 3) else None


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
            pixels, damage = None, None
            if name in ("JPEG", "MPO") and image.mode in ("L", "RGB"):
                pixels, damage = _through_turbo(image, blob, policy, size_px)
            elif name == "JPEG" and image.mode == "CMYK":
                damage = jpeg_damage(blob, "CMYK", image.size[::-1], policy)
            if pixels is None:
                if damage is not None:
                    blob = end_marked(blob)
                    image = identify.open_image(blob, policy)
                    ImageFile.LOAD_TRUNCATED_IMAGES = True
                pixels, lacks = _through_pillow(image, blob, policy, size_px)
                damage = damage or lacks
        except Exception as error:
            reject = reject_of("decode", error)
            if reject.reason == "corrupt" and is_cut(blob):
                reject = Reject("decode", "truncated", reject.detail)
            return None, ImageInfo(width, height, name, reject)
        if name == "PNG" and identify.orientation_of(image) in identify.TURNED:
            height, width = raw_size
    return pixels, ImageInfo(width, height, name, None, damage)


def _through_turbo(
    image: Image.Image, blob: bytes, policy: PixelPolicy, size_px: tuple[int, int]
) -> tuple[np.ndarray | None, str | None]:
    """Decode a grey or RGB JPEG with libjpeg-turbo; None where it can make nothing of it.

    Returns:
        uint8 array of the wanted size; and what the picture lacks, None if it is sound.

    Raises:
        Refused: Too much of the picture is missing.
    """
    orientation = identify.orientation_of(image)
    turned = orientation in identify.TURNED
    target = size_px[::-1] if turned else size_px
    divisor = 1
    if policy.decode == "scaled":
        divisor = _divisor((image.height, image.width), target, policy.fit)
    raw_px, damage = (image.height, image.width), None
    pixels = decode_jpeg(blob, raw_px, divisor)
    if pixels is None:
        try:
            damage = jpeg_damage(blob, "RGB", raw_px, policy)
        except ValueError:
            return None, None
        if damage is not None:
            pixels = decode_jpeg(end_marked(blob), raw_px, divisor, strict=False)
    if pixels is None:
        return None, None
    profile = image.info.get("icc_profile")
    converts = moves_colours(profile, image.mode)
    if converts and policy.decode == "exact":
        pixels = _converted(pixels, image.mode, profile)
    box = fit_box(pixels.shape[:2], target, policy.fit)
    pixels = resize(pixels, target, box, turned=turned, exact=policy.decode == "exact")
    if converts and policy.decode == "scaled":
        pixels = _converted(pixels, image.mode, profile)
    return orient(pixels, orientation), damage


def _through_pillow(
    image: Image.Image, blob: bytes, policy: PixelPolicy, size_px: tuple[int, int]
) -> tuple[np.ndarray, str | None]:
    """Decode a picture of any format with Pillow, or with the reader that opened it.

    Returns:
        uint8 array of the wanted size; and what the picture lacks, None if it is sound.

    Raises:
        Refused: Too much of the picture is missing.
    """
    # A PNG would be loaded to look for its EXIF, and keep silent about what failed.
    turned = image.format != "PNG" and identify.orientation_of(image) in identify.TURNED
    _shrink_on_load(image, policy, size_px[::-1] if turned else size_px)
    damage = None
    try:
        _load(image, policy.max_pixels)
    except (MemoryError, Refused):
        raise
    except Exception as fault:
        image, damage = partly_loaded(lambda: identify.open_image(blob, policy), fault, policy)
    orientation = identify.orientation_of(image)
    turned = orientation in identify.TURNED
    target = size_px[::-1] if turned else size_px
    convert = rgb_converter(image)
    box = fit_box((image.height, image.width), target, policy.fit)
    if is_giant(image):
        pixels = resize_giant(image, convert, target, box, turned=turned)
    else:
        exact = policy.decode == "exact"
        pixels = resize(convert(image), target, box, turned=turned, exact=exact)
    return orient(pixels, orientation), damage


def _shrink_on_load(image: Image.Image, policy: PixelPolicy, target_px: tuple[int, int]) -> None:
    """Have a smaller picture decoded where that is enough, or where the whole is too large.

    Raises:
        Refused: No copy in the file is small enough for the policy and large enough for the target.
    """
    size_px = (image.height, image.width)
    if isinstance(image, LevelledPicture):
        if image.width * image.height > policy.max_pixels:
            image.level = _level_within(image, policy, target_px)
        elif policy.decode == "scaled" and image.format == "JPEG2000":
            halvings = _divisor(size_px, target_px, policy.fit).bit_length() - 1
            image.level = min(halvings, len(image.levels) - 1)
    elif policy.decode == "scaled" and image.format in ("JPEG", "MPO"):
        divisor = _divisor(size_px, target_px, policy.fit)
        image.draft(None, (image.width // divisor, image.height // divisor))


def _level_within(image: LevelledPicture, policy: PixelPolicy, target_px: tuple[int, int]) -> int:
    """Return the smallest level that leaves twice the target, or else the largest allowed."""
    allowed = list[tuple[int, float]]()
    for level, (width, height) in enumerate(image.levels):
        left, top, right, bottom = fit_box((height, width), target_px, policy.fit)
        left_over = min((bottom - top) / target_px[0], (right - left) / target_px[1])
        if width * height <= policy.max_pixels and left_over >= 1:
            allowed.append((level, left_over))
    if not allowed:
        raise Refused(identify.too_large(image.size, policy.max_pixels))
    ample = [level for level, left_over in allowed if left_over >= _LEFT_OVER]
    return ample[-1] if ample else allowed[0][0]


def _load(image: Image.Image, max_pixels: int) -> None:
    """Load a picture; at full resolution where it has tiles that lack the lower one."""
    try:
        image.load()
    except OSError:
        if not isinstance(image, LevelledPicture) or not image.level:
            raise
        if image.width * image.height > max_pixels:
            raise
        image.level = 0
        image.load()


def _divisor(size_px: tuple[int, int], target_px: tuple[int, int], fit: str) -> int:
    left, top, right, bottom = fit_box(size_px, target_px, fit)
    return scale_divisor((bottom - top, right - left), target_px)


def _converted(pixels_HWC: np.ndarray, mode: str, profile: bytes | None) -> np.ndarray:
    """Apply a profile to pixels decoded as RGB from a JPEG of the given mode."""
    bands = np.ascontiguousarray(pixels_HWC[..., 0]) if mode == "L" else pixels_HWC
    return np.array(to_srgb(Image.fromarray(bands), profile))
