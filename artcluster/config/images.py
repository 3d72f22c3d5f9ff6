"""What can be set about pixels and their decoding."""

from typing import Annotated, Literal

from pydantic import Field

from artcluster.config.base import Settings


class ImageSettings(Settings):
    """The pixel policy (first three fields) and the limits under which pictures are decoded."""

    fit: Literal["squash", "crop"] = "squash"
    """Squash to the network's square, or resize the shorter side and crop the centre."""
    decode: Literal["scaled", "exact"] = "scaled"
    """Scaled lets libjpeg shrink large JPEGs by 2 or 4 first; exact is within ±1 of Pillow."""
    max_pixels: Annotated[int, Field(gt=0)] = 500_000_000
    """A larger picture is rejected as too-large."""
    timeout_s: Annotated[float, Field(gt=0)] = 20.0
    """Seconds one picture may take to decode before its decoder is killed."""
    memory_bytes: Annotated[int, Field(ge=1 << 28)] = 4 << 30
    """Memory one decoder may take before it is killed."""
    retry_reasons: tuple[str, ...] = ()
    """Rejects with these reasons are tried again once, such as timeout or out-of-memory."""
    max_reject_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    """A job ends with exit code 3 when more than this share of the images is rejected."""
