"""Which reader opens a picture: Pillow where its pixels are right, others where they are not."""

import io

import numpy as np
from PIL import ExifTags, Image, ImageFile, TiffImagePlugin

from artcluster.images.jpeg2000 import open_jpeg_2000
from artcluster.images.levelled import LevelledPicture, without_pixel_limit
from artcluster.images.other_formats import open_other
from artcluster.images.photoshop import open_photoshop

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_JPEG_2000 = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")


def open_picture(blob: bytes, formats: list[str], max_pixels: int) -> Image.Image:
    """Open a picture by its header alone.

    Args:
        blob: The file.
        formats: Pillow's names of the formats to try.
        max_pixels: Beyond it, the smaller copies that some formats hold are looked for.

    Raises:
        Exception: Whatever the readers raise over bytes that they cannot open.
    """
    if blob.startswith(_TIFF):
        return _open_tiff(blob, max_pixels)
    if blob.startswith(_JPEG_2000):
        return open_jpeg_2000(blob)
    other = open_photoshop(blob) if blob.startswith(b"8BPS") else open_other(blob)
    if other is not None:
        return other
    image = Image.open(io.BytesIO(blob), formats=formats)
    if image.format == "PNG" and image.tile and image.tile[0].args == "RGB;16B":
        return _without_near_keys(image, blob)
    return image


def _open_tiff(blob: bytes, max_pixels: int) -> Image.Image:
    of_pillow: Exception | None = None
    try:
        with without_pixel_limit():
            image = Image.open(io.BytesIO(blob), formats=["TIFF"])
        assert isinstance(image, TiffImagePlugin.TiffImageFile)
        if image.width * image.height <= max_pixels and _pillow_reads_right(image):
            return image
    except Exception as error:
        of_pillow = error
    # tifffile takes a second to import, and few archives hold a TIFF that needs it.
    from artcluster.images.tiff import open_tiff

    picture = open_tiff(blob)
    if picture is None:
        raise of_pillow or OSError("a TIFF without a picture")
    return picture


_COMPRESSION, _PHOTOMETRIC, _BITS, _SAMPLE_FORMAT = 259, 262, 258, 339

_PLANAR, _SUBFILE_TYPE, _OLD_SUBFILE_TYPE, _COLOR_MAP, _SUBSAMPLING = 284, 254, 255, 320, 530

_PALETTE, _YCBCR, _SIGNED, _RAW, _WEBP, _OLD_REDUCED = 3, 6, 2, 1, 50001, 2


def _pillow_reads_right(image: TiffImagePlugin.TiffImageFile) -> bool:
    """Return whether Pillow's pixels of a TIFF that it opens are right, as far as is known."""
    tags = image.tag_v2
    compression = tags.get(_COMPRESSION, _RAW)
    bits = max(tags.get(_BITS, (1,)))
    if tags.get(_SUBFILE_TYPE, 0) & 1 or tags.get(_OLD_SUBFILE_TYPE, 0) == _OLD_REDUCED:
        return False
    if compression == _WEBP:
        return False
    if tags.get(_PLANAR, 1) == 2:
        return bits == 8 and image.mode in ("RGB", "CMYK")
    if image.mode in ("F", "I") and tags.prefix == b"MM" and compression != _RAW:
        return False
    if bits == 8 and tags.get(_SAMPLE_FORMAT, (1,))[0] == _SIGNED:
        return False
    if tags.get(_PHOTOMETRIC) == _PALETTE and max(tags.get(_COLOR_MAP, (0,))) < 256:
        return False
    if tags.get(_PHOTOMETRIC) == _YCBCR and compression == _RAW:
        return tuple(tags.get(_SUBSAMPLING, (2, 2))) == (1, 1)
    return True


def _without_near_keys(image: ImageFile.ImageFile, blob: bytes) -> Image.Image:
    """Return a 16-bit colour PNG; with a transparent colour it is not left to Pillow.

    Pillow compares the high bytes alone, so that near colours vanish as well.
    """
    if "transparency" not in image.info:
        return image

    def read(_: int) -> Image.Image:
        import imagecodecs

        return Image.fromarray((imagecodecs.png_decode(blob) >> 8).astype(np.uint8))

    return LevelledPicture(
        "PNG",
        [image.size],
        read,
        profile=image.info.get("icc_profile"),
        orientation=image.getexif().get(ExifTags.Base.Orientation, 1),
    )
