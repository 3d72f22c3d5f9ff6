"""A decoder within the limits that the configuration sets."""

from typing import TYPE_CHECKING

from artcluster.config import ImageSettings
from artcluster.images.decoder import Decoder
from artcluster.images.policy import PixelPolicy

if TYPE_CHECKING:  # torch takes seconds to import
    from artcluster.images.serve import DecodeOne


def open_decoder(
    policy: PixelPolicy,
    size_px: tuple[int, int],
    settings: ImageSettings,
    decode_one: "DecodeOne | None" = None,
) -> Decoder:
    """Start a decoder: a child process, ended by `close` or by leaving its context."""
    return Decoder(
        policy,
        size_px,
        timeout_s=settings.timeout_s,
        memory_bytes=settings.memory_bytes,
        decode_one=decode_one,
    )
