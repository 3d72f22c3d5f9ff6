"""A decoder within the limits that the configuration sets."""

from artcluster.config import ImageSettings
from artcluster.images.decoder import Decoder
from artcluster.images.policy import PixelPolicy


def open_decoder(policy: PixelPolicy, size_px: tuple[int, int], settings: ImageSettings) -> Decoder:
    """Start a decoder: a child process, ended by `close` or by leaving its context."""
    return Decoder(
        policy, size_px, timeout_s=settings.timeout_s, memory_bytes=settings.memory_bytes
    )
