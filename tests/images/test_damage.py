"""Damaged pictures: read and marked where little is missing, rejected where much is."""

import struct
import zlib

import numpy as np
import pytest

from artcluster.images.decode import decode_image
from artcluster.images.policy import PixelPolicy
from artcluster.images.rejects import ImageInfo
from tests.images.handmade import encode, painting, psnr_db

WIDTH, HEIGHT = 400, 640
POLICY = PixelPolicy()


def decode(
    blob: bytes, policy: PixelPolicy = POLICY, size_px: tuple[int, int] = (HEIGHT, WIDTH)
) -> tuple[np.ndarray | None, ImageInfo]:
    return decode_image(blob, policy, size_px)


def jpeg(mode: str = "RGB", **options: object) -> bytes:
    return encode(painting(WIDTH, HEIGHT).convert(mode), "JPEG", quality=90, **options)


def png_chunk(kind: bytes, data: bytes, checksum: int | None = None) -> bytes:
    found = zlib.crc32(kind + data) if checksum is None else checksum
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", found)


def with_chunk(png: bytes, chunk: bytes) -> bytes:
    return png[:33] + chunk + png[33:]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_without_its_end_marker_is_whole(mode: str) -> None:
    sound, _ = decode(jpeg(mode))
    pixels, info = decode(jpeg(mode)[:-2])
    assert info.reject is None
    assert info.damage is not None
    assert pixels is not None
    assert sound is not None
    assert np.array_equal(pixels, sound)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("share", [0.001, 0.01, 0.03])
def test_a_jpeg_that_lacks_its_last_rows_is_read(mode: str, share: float) -> None:
    blob = jpeg(mode)
    sound, _ = decode(blob)
    pixels, info = decode(blob[: int(len(blob) * (1 - share))])
    assert info.reject is None
    assert info.damage
    assert pixels is not None
    assert sound is not None
    kept = int(HEIGHT * (1 - share)) - 32
    assert psnr_db(pixels[:kept], sound[:kept]) > 40


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("share", [0.15, 0.5, 0.95])
def test_a_jpeg_that_lacks_much_is_rejected_with_the_share(mode: str, share: float) -> None:
    blob = jpeg(mode)
    cut = blob[: int(len(blob) * (1 - share))]
    for data in (cut, cut + b"\xff\xd9"):
        pixels, info = decode(data)
        assert pixels is None
        assert info.reject is not None
        assert info.reject.reason == "truncated"
        assert "rows are missing" in info.reject.detail
    _, info = decode(cut, PixelPolicy(max_missing_share=1))
    assert info.reject is None


def test_a_small_picture_under_a_header_of_giants_is_rejected() -> None:
    blob = bytearray(jpeg())
    at = blob.index(b"\xff\xc0") + 5
    blob[at : at + 4] = struct.pack(">HH", 7600, 65500)
    pixels, info = decode(bytes(blob), size_px=(224, 224))
    assert pixels is None
    assert info.reject is not None
    assert info.reject.reason == "truncated"


def test_a_stray_restart_marker_is_marked() -> None:
    blob = jpeg()
    middle = len(blob) // 2
    _, info = decode(blob[:middle] + b"\xff\xd3" + blob[middle:])
    assert info.reject is None or info.reject.reason == "truncated"
    assert info.damage or info.reject


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TGA", "PPM", "TIFF", "SGI"])
def test_other_formats_go_by_the_same_share(kind: str) -> None:
    blob = encode(painting(WIDTH, HEIGHT), kind)
    sound, _ = decode(blob)
    little, much = blob[: int(len(blob) * 0.98)], blob[: int(len(blob) * 0.5)]
    pixels, info = decode(little)
    if kind == "SGI":  # It holds its colours one by one.
        assert info.reject is not None
    else:
        assert info.reject is None, info.reject
        assert info.damage
        assert pixels is not None
        assert sound is not None
        if kind in ("BMP", "TGA"):  # They begin with the lowest row.
            assert np.array_equal(pixels[-500:], sound[-500:])
        else:
            assert np.array_equal(pixels[:500], sound[:500])
    _, info = decode(much)
    assert info.reject is not None
    assert info.reject.reason == "truncated"


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "JPEG2000"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_formats_of_one_piece_are_truncated_when_they_are_cut(kind: str, share: float) -> None:
    blob = encode(painting(WIDTH, HEIGHT), kind)
    pixels, info = decode(blob[: int(len(blob) * share)])
    assert pixels is None
    assert info.reject is not None
    assert info.reject.reason == "truncated"


PROFILE = np.random.default_rng(0).integers(0, 256, 3 << 20, np.uint8).tobytes()
PNG = encode(painting(96, 64), "PNG")
TEXT = b"Comment\0" + b"x" * (70 << 20)


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"iCCP", b"printer\0\0" + zlib.compress(PROFILE, 0)),
        png_chunk(b"iCCP", b"broken\0\0no zlib"),
        png_chunk(b"iCCP", b"broken\0\0no zlib", checksum=1),
        png_chunk(b"tEXt", TEXT),
        png_chunk(b"tEXt", b"Comment\0hello", checksum=1),
        png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 28), 9)),
        png_chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(b"y" * (3 << 20))),
        png_chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff"),
        png_chunk(b"eXIf", b"MM\0*\0\0\0\x08", checksum=1),
        png_chunk(b"gAMA", b"\0", checksum=1),
    ],
    ids=[
        *("large iCCP", "broken iCCP", "iCCP checksum", "large tEXt", "tEXt checksum", "zTXt bomb"),
        *("large iTXt", "broken eXIf", "eXIf checksum", "gAMA checksum"),
    ],
)
def test_nothing_beside_the_pixels_of_a_png_rejects_it(chunk: bytes) -> None:
    pixels, info = decode(with_chunk(PNG, chunk), size_px=(64, 96))
    assert info.reject is None, info.reject
    assert np.array_equal(pixels, np.asarray(painting(96, 64)))


def test_a_png_with_broken_pixels_stays_a_reject() -> None:
    at = PNG.index(b"IDAT") + 4
    broken = PNG[:at] + bytes(60) + PNG[at + 60 :]
    _, info = decode(broken, size_px=(64, 96))
    assert info.reject is not None


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "WEBP"])
def test_a_broken_profile_is_ignored(kind: str) -> None:
    blob = encode(painting(96, 64), kind, icc_profile=b"no profile at all" * 9)
    pixels, info = decode(blob, size_px=(64, 96))
    assert info.reject is None
    plain, _ = decode(encode(painting(96, 64), kind), size_px=(64, 96))
    assert np.array_equal(pixels, plain)


def test_a_picture_that_ends_in_grey_is_whole() -> None:
    picture = painting(WIDTH, HEIGHT)
    picture.paste((128, 128, 128), (0, HEIGHT // 2, WIDTH, HEIGHT))
    _, info = decode(encode(picture, "JPEG"))
    assert (info.reject, info.damage) == (None, None)
