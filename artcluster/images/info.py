"""What is known of a picture without its pixels."""

from dataclasses import dataclass

from artcluster.images.rejects import Reject


@dataclass(frozen=True)
class ImageInfo:
    """A picture's size and format, and why it was refused if it was.

    Attributes:
        width: Pixels after EXIF rotation; None where the header could not be read.
        height: Pixels after EXIF rotation; None where the header could not be read.
        format: By content: JPEG, PNG, …; None where unknown.
        reject: None for a picture that is fine.
    """

    width: int | None
    height: int | None
    format: str | None
    reject: Reject | None
