"""A small copy of a picture in its own shape, for a `Decoder` to make in its killable child."""

from dataclasses import replace

import numpy as np
from PIL import Image, ImageFile

from artcluster.images import identify
from artcluster.images.colour import to_rgb
from artcluster.images.decode import decode_image
from artcluster.images.policy import PixelPolicy
from artcluster.images.rejects import ImageInfo, reject_of


def decode_thumbnail(
    blob: bytes, policy: PixelPolicy, size_px: tuple[int, int]
) -> tuple[np.ndarray | None, ImageInfo]:
    """Decode a picture and shrink it into a box; never raises over its bytes. A `DecodeOne`.

    Args:
        blob: The file.
        policy: What is done to the pixels; its `fit` is not used.
        size_px: Height and width of the box.

    Returns:
        uint8 array of the box's size with the picture in its upper left corner, see `inside`, and
        the picture's info; None and an info with a reject if it is refused.
    """
    info = identify.probe_image(blob, policy)
    # Some pictures tell only when they are decoded that they stand on their side.
    for _ in range(2):
        if info.reject is not None or info.width is None or info.height is None:
            break
        height, width = inside((info.height, info.width), size_px)
        expected = (info.height, info.width)
        pixels, info = decode_image(blob, replace(policy, fit="squash"), (height, width))
        if pixels is not None and (info.height, info.width) == expected:
            box = np.full((*size_px, 3), 255, np.uint8)
            box[:height, :width] = pixels
            return box, info
    return None, info


def inside(size_px: tuple[int, int], box_px: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of a picture shrunk into a box; one that fits is left as it is.

    >>> inside((3000, 1500), (200, 200))
    (200, 100)
    >>> inside((20, 10), (200, 200))
    (20, 10)
    """
    height, width = size_px
    scale = min(1.0, box_px[0] / height, box_px[1] / width)
    return (
        min(box_px[0], max(1, round(height * scale))),
        min(box_px[1], max(1, round(width * scale))),
    )


def decode_salvaged(
    blob: bytes, policy: PixelPolicy, size_px: tuple[int, int]
) -> tuple[np.ndarray | None, ImageInfo]:
    """Decode what there is of a picture; never raises over its bytes. A `DecodeOne`.

    Missing rows are what the decoder makes of them. Not for embedding: these are rejects.

    Args:
        blob: The file.
        policy: Its `max_pixels` alone is used.
        size_px: Height and width of the box.

    Returns:
        uint8 array of the box's size with the picture in its upper left corner, and its info; None
        and an info with a reject where nothing can be seen.
    """
    with identify.pillow_limits(policy.max_pixels):
        try:
            image = identify.open_image(blob, replace(policy, fit="squash"))
            width, height = image.size
            ImageFile.LOAD_TRUNCATED_IMAGES = True
            image.draft(None, size_px[::-1])
            image.load()
            small = to_rgb(image)
            rows, columns = inside((height, width), size_px)
            small = small.resize((columns, rows), Image.Resampling.BICUBIC)
        except Exception as error:
            return None, identify.refused_info(blob, reject_of("decode", error))
    box = np.full((*size_px, 3), 255, np.uint8)
    pixels = np.asarray(small)
    if (pixels == pixels[0, 0]).all():
        return None, identify.refused_info(blob, reject_of("decode", OSError("nothing is left")))
    box[:rows, :columns] = pixels
    return box, ImageInfo(width, height, image.format, None)
