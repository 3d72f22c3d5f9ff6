"""Pictures that are read at their own size, or as one of the smaller copies in their file."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from PIL import ExifTags, Image

Size = tuple[int, int]
"""Width and height in pixels."""


class LevelledPicture(Image.Image):
    """A picture whose pixels are read once they are asked for.

    Until then its size is that of the whole picture, whatever level is chosen.

    Args:
        kind: Pillow's name of the format.
        levels: Sizes of the whole picture and of the smaller copies of it, largest first.
        read: Returns a level's pixels in a mode that `to_rgb` takes; given its place in `levels`.
        profile: ICC profile that applies to them.
        orientation: EXIF orientation that they are stored in.

    Attributes:
        level: The level to be read; the whole picture at first.
    """

    def __init__(
        self,
        kind: str,
        levels: list[Size],
        read: Callable[[int], Image.Image],
        *,
        profile: bytes | None = None,
        orientation: int = 1,
    ) -> None:
        super().__init__()
        self.format = kind
        self.levels = levels
        self.level = 0
        self._read = read
        self._size = levels[0]
        self._is_read = False
        if profile:
            self.info["icc_profile"] = profile
        if orientation != 1:
            exif = Image.Exif()
            exif[ExifTags.Base.Orientation] = orientation
            self.info["exif"] = exif.tobytes()

    def load(self) -> Any:
        """Read the pixels of the level chosen, unless they are there."""
        if not self._is_read:
            pixels = self._read(self.level)
            self._is_read = True
            self.info = {**pixels.info, **self.info}
            self.im, self._mode, self._size = pixels.im, pixels.mode, pixels.size
            self.palette = pixels.palette
        return super().load()


@contextlib.contextmanager
def without_pixel_limit() -> Iterator[None]:
    """Have Pillow open a picture of any size: a smaller copy of it may be what is read."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit
