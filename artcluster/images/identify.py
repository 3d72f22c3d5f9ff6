"""Finding a picture's format and size from its bytes, before any pixel is decoded."""

import contextlib
import importlib.util
import io
import warnings
from collections.abc import Iterator

from PIL import (
    AvifImagePlugin,
    ExifTags,
    Image,
    ImageFile,
    PngImagePlugin,
    UnidentifiedImageError,
)

from artcluster.images.damage import lenient_png
from artcluster.images.levelled import LevelledPicture
from artcluster.images.policy import PixelPolicy
from artcluster.images.readers import open_picture
from artcluster.images.rejects import (
    LARGEST_SIDE,
    ImageInfo,
    Refused,
    Reject,
    reason_of_message,
    reject_of,
)
from artcluster.images.signatures import (
    is_cut,
    is_photo_cd,
    kind_of,
    known_format,
    may_be_netpbm,
    may_be_tga,
    unread_format,
)

_FORMATS = [
    *("JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "JPEG2000", "AVIF", "PSD", "QOI", "PCX"),
    *("DCX", "SGI", "SUN", "ICO", "CUR", "ICNS", "DDS", "XPM", "FITS"),
]


if importlib.util.find_spec("pillow_heif") is not None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    pillow_heif.options.DECODE_THREADS = 1
    _FORMATS.append("HEIF")


AvifImagePlugin.DEFAULT_MAX_THREADS = 1


FORMATS = (*_FORMATS, "PPM", "PCD", "TGA")
"""Pillow's names of the formats that are read. No EPS and no SVG: those are programs."""


_MOST_TEXT_BYTES = 64 << 20

_XMP = ("xmp", "XML:com.adobe.xmp")

TURNED = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height."""


@contextlib.contextmanager
def pillow_limits(max_pixels: int | None) -> Iterator[None]:
    """Set Pillow's own limits for the time of a decode: pixels, and no patience with cut files."""
    names = (
        (Image, "MAX_IMAGE_PIXELS", None if max_pixels is None else (max_pixels + 1) // 2),
        (Image, "WARN_POSSIBLE_FORMATS", True),
        (ImageFile, "LOAD_TRUNCATED_IMAGES", False),
        # A printer's or a scanner's profile has several megabytes; the memory limit guards anyway.
        (PngImagePlugin, "MAX_TEXT_CHUNK", _MOST_TEXT_BYTES),
        (PngImagePlugin, "MAX_TEXT_MEMORY", 1 << 30),
    )
    before = [getattr(module, name) for module, name, _ in names]
    for module, name, value in names:
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name, _), value in zip(names, before, strict=True):
            setattr(module, name, value)


def open_image(blob: bytes, policy: PixelPolicy) -> Image.Image:
    """Open a picture by its header alone. To be called under `pillow_limits`.

    Raises:
        Refused: Empty, no image, unsupported, broken in its header, or above `max_pixels`.
    """
    if not blob:
        raise Refused(Reject("identify", "empty", "0 bytes"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            image = open_picture(blob, _formats_to_try(blob), policy.max_pixels)
        except UnidentifiedImageError:
            lenient = lenient_png(blob)
            if lenient is not None:
                return _within_limits(lenient, policy)
            raise Refused(_unidentified(blob, [str(w.message) for w in caught])) from None
        except Image.DecompressionBombError as error:
            raise Refused(Reject("identify", "too-large", str(error))) from None
        except Exception as error:
            lenient = lenient_png(blob)
            if lenient is not None:
                return _within_limits(lenient, policy)
            reject = reject_of("identify", error)
            if reject.reason == "corrupt" and is_cut(blob):
                reject = Reject("identify", "truncated", reject.detail)
            raise Refused(reject) from None
    return _within_limits(image, policy)


def _within_limits(image: Image.Image, policy: PixelPolicy) -> Image.Image:
    levels = image.levels if isinstance(image, LevelledPicture) else [image.size]
    least = min(width * height for width, height in levels)
    if least > policy.max_pixels or max(image.size) > LARGEST_SIDE:
        raise Refused(too_large(image.size, policy.max_pixels))
    return image


def too_large(size_px: tuple[int, int], max_pixels: int) -> Reject:
    """Return the reject of a picture of this width and height, and of no smaller copy."""
    width, height = size_px
    detail = f"{width}×{height} are {width * height} pixels, the policy takes at most {max_pixels}"
    return Reject("identify", "too-large", detail)


def _formats_to_try(blob: bytes) -> list[str]:
    """Return the formats whose decoders may look: those with weak signatures only if it is one."""
    weak = (("PPM", may_be_netpbm), ("PCD", is_photo_cd), ("TGA", may_be_tga))
    return [*_FORMATS, *(name for name, may_be in weak if may_be(blob))]


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where there is none or it cannot be read.

    XMP's, which Pillow would take in its place, does not count.
    """
    for name in _XMP:
        image.info.pop(name, None)
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1
    return value if value in range(1, 9) else 1


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return (width, height) after EXIF rotation, from the header alone.

    Pillow gives a TIFF's size turned already. A PNG may carry its EXIF after the pixels, where
    only decoding finds it.
    """
    late_exif = image.format == "PNG" and "exif" not in image.info
    by_pillow = image.format == "TIFF" and not isinstance(image, LevelledPicture)
    if by_pillow or late_exif or orientation_of(image) not in TURNED:
        return image.width, image.height
    return image.height, image.width


def probe_image(blob: bytes, policy: PixelPolicy) -> ImageInfo:
    """Return a picture's format and size from its header, without decoding pixels."""
    with pillow_limits(policy.max_pixels):
        try:
            image = open_image(blob, policy)
            width, height = upright_size(image)
        except Exception as error:
            return refused_info(blob, reject_of("identify", error))
    return ImageInfo(width, height, image.format, None)


def refused_info(blob: bytes, reject: Reject) -> ImageInfo:
    """Return what can be said of a picture refused by its header: a size if it was too large."""
    if reject.reason == "too-large":
        with contextlib.suppress(Exception), pillow_limits(None):
            image = Image.open(io.BytesIO(blob), formats=_formats_to_try(blob))
            return ImageInfo(*upright_size(image), image.format, reject)
    return ImageInfo(None, None, None, reject)


def _unidentified(blob: bytes, warned: list[str]) -> Reject:
    """Judge bytes that no decoder took, by known signatures and by what the decoders said."""
    unread = unread_format(blob)
    if unread is not None and not (unread[0] == "HEIC" and "HEIF" in FORMATS):
        name, needs = unread
        detail = f"{name} is read with {needs}" if needs else f"{name} is not read"
        return Reject("identify", "unsupported", detail)
    told = [words for words in warned if " opening failed. " in words]
    if told:
        reason = reason_of_message(told[0])
        return Reject(
            "identify", "truncated" if reason == "corrupt" and is_cut(blob) else reason, told[0]
        )
    if warned:
        return Reject("identify", "unsupported", warned[0])
    known = known_format(blob)
    if known is not None:
        return Reject("identify", "corrupt", f"the header of a {known} and nothing readable after")
    return Reject("identify", "not-an-image", f"no known format: {kind_of(blob)}")
