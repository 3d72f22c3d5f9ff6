"""What can still be seen of a broken picture, for people to recognise it by."""

from dataclasses import replace

import numpy as np
from PIL import Image, ImageFile

from artcluster.images import identify
from artcluster.images.colour import to_rgb
from artcluster.images.info import ImageInfo
from artcluster.images.policy import PixelPolicy
from artcluster.images.rejects import reject_of
from artcluster.images.thumbnail import inside


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
