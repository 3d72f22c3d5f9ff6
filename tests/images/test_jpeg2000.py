"""JPEG 2000 of any size, offset and colour, against OpenJPEG through imagecodecs."""

import io
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from artcluster.images.decode import decode_image
from artcluster.images.policy import PixelPolicy
from tests.images.handmade import encode, psnr_db, swapped_primaries_profile

EXACT, SCALED = PixelPolicy(decode="exact"), PixelPolicy()


def pixels_of(blob: bytes, policy: PixelPolicy, size_px: tuple[int, int]) -> np.ndarray:
    pixels, info = decode_image(blob, policy, size_px)
    assert pixels is not None, info.reject
    return pixels


def soft(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(0)
    colours = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return colours.resize((width, height), Image.Resampling.BICUBIC)


def by_openjpeg(blob: bytes, size_px: tuple[int, int]) -> np.ndarray:
    image = Image.fromarray(imagecodecs.jpeg2k_decode(blob)).convert("RGB")
    return np.asarray(image.resize(size_px[::-1], Image.Resampling.BICUBIC))


@pytest.mark.parametrize("width", range(64, 69))
@pytest.mark.parametrize("height", range(64, 69))
@pytest.mark.parametrize("tile", [None, (48, 40)])
def test_any_size_is_read_at_a_lower_resolution(
    width: int, height: int, tile: tuple[int, int] | None
) -> None:
    blob = encode(soft(width, height), "JPEG2000", tile_size=tile)
    scaled = pixels_of(blob, SCALED, (8, 8))
    assert not np.array_equal(scaled, pixels_of(blob, EXACT, (8, 8)))
    assert psnr_db(scaled, by_openjpeg(blob, (8, 8))) > 24


def test_an_image_with_an_offset_is_read() -> None:
    blob = encode(soft(90, 80), "JPEG2000", offset=(7, 5), tile_offset=(3, 2), tile_size=(32, 32))
    assert np.array_equal(pixels_of(blob, EXACT, (8, 8)), pixels_of(blob, SCALED, (8, 8)))
    assert psnr_db(pixels_of(blob, SCALED, (8, 8)), by_openjpeg(blob, (8, 8))) > 45


def test_a_picture_above_the_limit_is_read_at_a_lower_resolution() -> None:
    blob = encode(soft(300, 301), "JPEG2000")
    policy = PixelPolicy(decode="exact", max_pixels=40_000)
    pixels, info = decode_image(blob, policy, (16, 16))
    assert pixels is not None
    assert (info.width, info.height) == (300, 301)
    assert psnr_db(pixels, by_openjpeg(blob, (16, 16))) > 28
    _, info = decode_image(blob, policy, (250, 250))
    assert info.reject is not None
    assert info.reject.reason == "too-large"


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def in_boxes(samples: np.ndarray, *boxes: bytes, bits: int = 8) -> bytes:
    """A JP2 of these samples, whose header box has these boxes."""
    single = samples.shape[-1] == 1
    stream = imagecodecs.jpeg2k_encode(
        samples[..., 0] if single else samples,
        level=0,
        reversible=True,
        codecformat="j2k",
        bitspersample=bits,
        mct=False,
    )
    height, width, count = samples.shape
    head = box(b"ihdr", struct.pack(">IIHBBBB", height, width, count, bits - 1, 7, 0, 0))
    return b"".join(
        [
            b"\0\0\0\x0cjP  \r\n\x87\n",
            box(b"ftyp", b"jp2 \0\0\0\0jp2 "),
            box(b"jp2h", head + b"".join(boxes)),
            box(b"jp2c", stream),
        ]
    )


def space(number: int) -> bytes:
    return box(b"colr", struct.pack(">BBBI", 1, 0, 0, number))


def channels(*each: tuple[int, int, int]) -> bytes:
    body = b"".join(struct.pack(">3H", *one) for one in each)
    return box(b"cdef", struct.pack(">H", len(each)) + body)


SAMPLES = np.random.default_rng(0).integers(0, 256, (12, 14, 4)).astype(np.uint8)


def test_channels_are_put_in_the_order_that_the_file_states() -> None:
    blob = in_boxes(SAMPLES[..., :3], space(16), channels((0, 0, 3), (1, 0, 1), (2, 0, 2)))
    assert np.array_equal(pixels_of(blob, EXACT, (12, 14)), SAMPLES[..., [1, 2, 0]])


def test_alpha_may_be_the_first_channel_or_no_alpha_at_all() -> None:
    blob = in_boxes(SAMPLES, space(16), channels((0, 1, 0), (1, 0, 1), (2, 0, 2), (3, 0, 3)))
    opacity = SAMPLES[..., :1] / 255
    on_white = SAMPLES[..., 1:] * opacity + 255 * (1 - opacity)
    assert np.abs(pixels_of(blob, EXACT, (12, 14)) - on_white).max() <= 1
    spare = channels((0, 0, 1), (1, 0, 2), (2, 0, 3), (3, 65535, 65535))
    blob = in_boxes(SAMPLES, space(16), spare)
    assert np.array_equal(pixels_of(blob, EXACT, (12, 14)), SAMPLES[..., :3])


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_palettes_of_any_depth(bits: int) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (1 << bits, 3)).astype(np.uint8)
    palette = box(b"pclr", struct.pack(">HB3B", len(colours), 3, 7, 7, 7) + colours.tobytes())
    mapping = box(b"cmap", struct.pack(">HBBHBBHBB", 0, 1, 0, 0, 1, 1, 0, 1, 2))
    indices = SAMPLES[..., :1] >> (8 - bits)
    blob = in_boxes(indices, palette, mapping, space(16), bits=bits)
    assert np.array_equal(pixels_of(blob, EXACT, (12, 14)), colours[indices[..., 0]])


def test_inks_luma_and_lab() -> None:
    inks = pixels_of(in_boxes(SAMPLES, space(12)), EXACT, (12, 14))
    paper = (255.0 - SAMPLES[..., :3]) * (255.0 - SAMPLES[..., 3:]) / 255
    assert np.abs(inks - paper).max() <= 1
    deep = in_boxes(SAMPLES[..., :3].astype(np.uint16) * 257, space(18), bits=16)
    luma = Image.frombytes("YCbCr", (14, 12), SAMPLES[..., :3].tobytes()).convert("RGB")
    assert np.abs(pixels_of(deep, EXACT, (12, 14)).astype(int) - np.asarray(luma)).max() <= 3
    grey = np.zeros((4, 4, 3), np.uint8)
    grey[:] = (128, 128, 96)
    middle = pixels_of(in_boxes(grey, space(14)), EXACT, (4, 4))
    assert np.abs(middle.astype(int) - 119).max() <= 3  # L* of 50


def test_a_profile_in_the_boxes_is_applied() -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    colr = box(b"colr", b"\2\0\0" + swapped_primaries_profile())
    rgb = pixels_of(in_boxes(red, colr), EXACT, (8, 8))[4, 4]
    assert rgb[1] >= 250
    assert rgb[0] <= 10


def test_white_of_sixteen_bits_stays_white() -> None:
    samples = np.full((8, 8, 4), 65535, np.uint16)
    blob = imagecodecs.jpeg2k_encode(samples, level=0, codecformat="jp2", reversible=True)
    assert pixels_of(blob, SCALED, (8, 8)).min() == 255
    samples[..., :3] = 0
    blob = imagecodecs.jpeg2k_encode(samples, level=0, codecformat="jp2", reversible=True)
    assert pixels_of(blob, SCALED, (8, 8)).max() == 0


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_deep_picture_cut_short_is_refused(share: float) -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (64, 64, 3)).astype(np.uint16)
    blob = imagecodecs.jpeg2k_encode(samples, level=0, codecformat="jp2")
    pixels, info = decode_image(blob[: int(len(blob) * share)], SCALED, (8, 8))
    assert pixels is None
    assert info.reject is not None


def test_channels_of_different_depths_are_unsupported() -> None:
    stream = io.BytesIO(in_boxes(SAMPLES[..., :3], space(16)))
    blob = bytearray(stream.getvalue())
    depths = blob.index(b"\xff\x4f\xff\x51") + 42
    blob[depths + 3] = 11
    _, info = decode_image(bytes(blob), EXACT, (12, 14))
    assert info.reject is not None
    assert info.reject.reason == "unsupported"
