"""What is done to every picture's pixels before an embedder sees them: stated and versioned."""

from dataclasses import dataclass

_FITS = ("squash", "crop")
_DECODES = ("exact", "scaled")

_READERS = 3
"""Raised whenever more files are read, or fewer: rejects are then tried again."""


@dataclass(frozen=True)
class PixelPolicy:
    """The pixel policy. It is part of an embedder's contract and of every row in `images`.

    Whatever the settings, version 1 makes 8-bit sRGB of a picture like this:

    - EXIF orientation is applied; an unreadable one counts as upright, XMP's does not count.
    - The first frame, page or layer composite is taken; a TIFF's reduced copies are passed over.
    - An embedded ICC profile is converted to sRGB with perceptual intent. A profile that is
      broken, or of another colour space than the pixels, is ignored; one that moves no colour by
      more than a level counts as sRGB.
    - CMYK and YCCK without a profile become RGB as (1 − c)(1 − k), JPEGs read with Adobe's
      inverted polarity; LAB is read under D50; palettes are expanded.
    - 16-bit grey is scaled by its full range (0…65535, or what the file declares: 12 bits, say).
      32-bit integers are scaled by the smallest of 255 and 65535 that holds all values, floats by
      the smallest of 1, 255 and 65535; outside those, or below zero, by the picture's own lowest
      and highest value. A linear ramp stays linear, and nothing is clipped. NaN counts as lowest.
      Colour of 9 to 24 bits keeps its highest 8; docs/formats.md has all of it.
    - Transparency, of a channel, a palette or a colour key, is laid on white.
    - The resize is Pillow's antialiased bicubic in 8 bits.

    Attributes:
        fit: "squash" brings both sides to the target; "crop" takes the largest centred box of the
            target's shape (trimmed by whole and even numbers of pixels) and resizes that.
        decode: "exact" is within ±1 of Pillow's full decode and bicubic resize. "scaled" lets the
            JPEG decoder scale by 1/2 or 1/4 (and JPEG 2000 drop one or two resolution levels) as
            long as twice the target is left on both sides, and converts the ICC profile of an RGB
            or grey JPEG after the resize: 1.4 to 3 times faster than exact on large JPEGs, and
            within 46 dB and more of it on pictures full of hard edges.
        max_pixels: A picture with more pixels than this in its header is read from a smaller copy
            in its file (a pyramid, a lower resolution) or else rejected.
        max_missing_share: A damaged picture that lacks more than this share of its rows is
            rejected; one that lacks less is read, and what is missing is mid-grey.
        version: Raised with every change of code that changes pixels that were right, and with it
            every embedder_id.

    Raises:
        ValueError: A setting is none of its choices.
    """

    fit: str = "squash"
    decode: str = "scaled"
    max_pixels: int = 500_000_000
    max_missing_share: float = 0.05
    version: int = 1

    def __post_init__(self) -> None:
        for name, choices in (("fit", _FITS), ("decode", _DECODES)):
            value = getattr(self, name)
            if value not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}")
        if self.max_pixels < 1:
            raise ValueError(f"max_pixels must be at least 1; got {self.max_pixels}")
        if not 0 <= self.max_missing_share <= 1:
            raise ValueError(f"max_missing_share must be 0 to 1; got {self.max_missing_share}")
        if self.version != 1:
            raise ValueError(f"version must be 1, the only one this code makes; got {self.version}")

    @property
    def pixels_id(self) -> str:
        """All that changes the pixels of a picture that is not rejected, in a short string.

        >>> PixelPolicy(max_pixels=1234).pixels_id
        'v1-squash-scaled'
        """
        return f"v{self.version}-{self.fit}-{self.decode}"

    @classmethod
    def from_pixels_id(cls, pixels_id: str) -> "PixelPolicy":
        """Return a policy that makes the same pixels, with the default limit.

        Raises:
            ValueError: The id is not one of `pixels_id`.

        >>> PixelPolicy.from_pixels_id("v1-crop-exact").fit
        'crop'
        """
        parts = pixels_id.split("-")
        if len(parts) != 3 or not parts[0].removeprefix("v").isdigit():
            raise ValueError(f"expected a pixel policy such as v1-squash-scaled, got {pixels_id!r}")
        return cls(fit=parts[1], decode=parts[2], version=int(parts[0].removeprefix("v")))

    @property
    def policy_id(self) -> str:
        """All that changes pixels or rejects, in a short string.

        >>> PixelPolicy().policy_id
        'v1-squash-scaled-500Mpx-r3'
        >>> PixelPolicy(fit="crop", decode="exact", max_pixels=1234).policy_id
        'v1-crop-exact-1234px-r3'
        """
        millions, rest = divmod(self.max_pixels, 1_000_000)
        limit = f"{self.max_pixels}px" if rest else f"{millions}Mpx"
        usual = self.max_missing_share == PixelPolicy.max_missing_share
        missing = "" if usual else f"-{self.max_missing_share:g}missing"
        return f"{self.pixels_id}-{limit}{missing}-r{_READERS}"
