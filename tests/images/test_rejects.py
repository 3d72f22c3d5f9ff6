import struct

import pytest
from PIL import Image

from artcluster.images.rejects import ADVICE, REASONS, Refused, Reject, reason_of, reject_of


def test_every_reason_says_what_to_do() -> None:
    assert set(REASONS) == set(ADVICE)
    assert all(advice.endswith(".") for advice in ADVICE.values())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "out-of-memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "out-of-memory"),
        (Image.DecompressionBombError("Image size (2 pixels)"), "too-large"),
        (NotImplementedError("no"), "unsupported"),
        (OSError("decoder jpeg2k not available"), "unsupported"),
        (SyntaxError("unknown pixel mode"), "unsupported"),
        (ValueError("conversion from XY to RGB not supported"), "unsupported"),
        (OSError("image file is truncated (22 bytes not processed)"), "truncated"),
        (OSError("Truncated File Read"), "truncated"),
        (struct.error("unpack requires a buffer of 4 bytes"), "truncated"),
        (EOFError("no more images"), "truncated"),
        (OSError("broken data stream when reading image file"), "corrupt"),
        (SyntaxError("broken PNG file (bad header checksum in b'IDAT')"), "corrupt"),
        (IndexError("tuple index out of range"), "corrupt"),
    ],
)
def test_the_reason_follows_from_the_decoders_words(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


def test_a_refusal_keeps_its_own_reject() -> None:
    reject = Reject("identify", "empty", "0 bytes")
    assert reject_of("decode", Refused(reject)) is reject


def test_a_long_detail_is_cut() -> None:
    assert len(Reject("decode", "corrupt", "x" * 9999).detail) == 500


def test_the_detail_of_a_silent_error_is_its_name() -> None:
    assert reject_of("decode", MemoryError()).detail == "MemoryError"
