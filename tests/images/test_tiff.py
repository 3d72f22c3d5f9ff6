"""TIFF: which of its pictures is read, and what few other files are right about."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from artcluster.images.decode import decode_image
from artcluster.images.identify import open_image
from artcluster.images.levelled import LevelledPicture
from artcluster.images.policy import PixelPolicy
from tests.images.handmade import (
    cmyk_profile_of_one_colour,
    encode,
    exif_of,
    quadrant_means,
    quarters,
    swapped_primaries_profile,
)

EXACT = PixelPolicy(decode="exact")
COLOURS = np.asarray(quarters(96, 64))
THUMBNAIL = np.full((16, 24, 3), 7, np.uint8)


def pixels_of(blob: bytes, size_px: tuple[int, int], policy: PixelPolicy = EXACT) -> np.ndarray:
    pixels, info = decode_image(blob, policy, size_px)
    assert pixels is not None, info.reject
    return pixels


def written(*pages: tuple[np.ndarray, dict[str, object]]) -> bytes:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as file:
        for samples, options in pages:
            file.write(samples, metadata=None, **{"photometric": "rgb", **options})
    return stream.getvalue()


def with_chunk(png: bytes, kind: bytes, body: bytes) -> bytes:
    """A PNG with one chunk more before its pixels."""
    at = png.index(b"IDAT") - 4
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return png[:at] + chunk + png[at:]


def test_a_thumbnail_before_the_picture_is_passed_over() -> None:
    for options in ({"subfiletype": 1}, {"subfiletype": 1, "subifds": 1}):
        blob = written((THUMBNAIL, options), (COLOURS, {"compression": "deflate"}))
        _, info = decode_image(blob, EXACT, (64, 96))
        assert (info.width, info.height) == (96, 64)
        assert np.array_equal(pixels_of(blob, (64, 96)), COLOURS)


def test_the_first_of_several_pictures_is_taken() -> None:
    blob = written((COLOURS, {}), (255 - COLOURS, {}), (THUMBNAIL, {"subfiletype": 1}))
    assert np.array_equal(pixels_of(blob, (64, 96)), COLOURS)


@pytest.mark.parametrize("inside", [False, True])
def test_a_pyramid_above_the_limit_is_read_from_the_smallest_copy_that_does(inside: bool) -> None:
    levels = [np.full((512 >> each, 768 >> each, 3), 40 * each, np.uint8) for each in range(5)]
    options = {"tile": (16, 16), "compression": "deflate", "subfiletype": 1}
    whole = {**options, "subfiletype": 0, **({"subifds": 4} if inside else {})}
    blob = written((levels[0], whole), *((level, options) for level in levels[1:]))
    policy = PixelPolicy(max_pixels=100_000)
    for target, level in (((8, 8), 4), ((40, 40), 2), ((128, 128), 1), ((200, 200), 1)):
        pixels, info = decode_image(blob, policy, target)
        assert pixels is not None
        assert (info.width, info.height) == (768, 512)
        assert set(np.unique(pixels)) == {40 * level}
    assert set(np.unique(pixels_of(blob, (8, 8)))) == {0}
    _, info = decode_image(blob, policy, (300, 300))
    assert info.reject is not None
    assert (info.reject.reason, info.width) == ("too-large", 768)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_orientation_is_applied_by_either_reader(orientation: int, planar: str) -> None:
    upright = quarters(96, 64)
    methods = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright.transpose(methods[orientation]) if orientation > 1 else upright
    samples = np.asarray(stored).astype(np.uint16) * 257
    samples = np.moveaxis(samples, -1, 0) if planar == "separate" else samples
    tag = (274, "H", 1, orientation, True)
    blob = written((samples, {"planarconfig": planar, "extratags": [tag]}))
    pixels, info = decode_image(blob, EXACT, (64, 96))
    assert pixels is not None
    assert (info.width, info.height) == (96, 64)
    assert np.array_equal(pixels, COLOURS)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG", "WEBP"])
def test_an_orientation_in_xmp_alone_does_not_count(kind: str) -> None:
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"></x:xmpmeta>'
    options = {"tiffinfo": {700: packet}} if kind == "TIFF" else {"xmp": packet}
    blob = encode(quarters(96, 64), kind, **options)
    if kind == "PNG":
        blob = with_chunk(blob, b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)
    assert b"tiff:Orientation" in blob
    _, info = decode_image(blob, EXACT, (64, 96))
    assert (info.width, info.height) == (96, 64)
    assert np.abs(quadrant_means(pixels_of(blob, (64, 96))) - quadrant_means(COLOURS)).max() <= 6
    turned = encode(quarters(96, 64), kind, exif=exif_of(8))
    assert decode_image(turned, EXACT, (64, 96))[1].width == 64


def test_profiles_apply_to_what_the_other_reader_brings() -> None:
    red = np.zeros((3, 16, 16), np.uint16)
    red[0] = 65535
    profile = swapped_primaries_profile()
    blob = written((red, {"planarconfig": "separate", "iccprofile": profile}))
    assert pixels_of(blob, (16, 16))[8, 8, 1] >= 250
    inks = np.full((16, 16, 5), 255, np.uint8)
    inks[..., 3:] = (0, 128)
    options = {"photometric": "separated", "extrasamples": ["unassalpha"]}
    profile = cmyk_profile_of_one_colour((136, 208, 195))
    rgb = pixels_of(written((inks, {**options, "iccprofile": profile})), (16, 16))[8, 8]
    assert rgb[0] > 240
    assert 120 < rgb[2] < 150


@pytest.mark.parametrize("subsampling", [(2, 2), (2, 1), (1, 2), (4, 1)])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_coarser_chroma_without_jpeg(
    subsampling: tuple[int, int], tile: tuple[int, int] | None
) -> None:
    wide, high = subsampling
    across, down = tile or (96, 64)
    ycc = np.asarray(quarters(96, 64).convert("YCbCr"))
    segments = []
    for top in range(0, 64, down):
        for left in range(0, 96, across):
            part = ycc[top : top + down, left : left + across]
            luma = part[..., 0].reshape(down // high, high, across // wide, wide).swapaxes(1, 2)
            blocks = luma.reshape(down // high, across // wide, -1)
            segments.append(np.concatenate([blocks, part[::high, ::wide, 1:]], axis=-1).tobytes())
    tags = [
        *((256, "I", [96]), (257, "I", [64]), (258, "H", [8, 8, 8]), (259, "H", [1])),
        *((262, "H", [6]), (277, "H", [3]), (530, "H", [wide, high])),
    ]
    places, counts = (324, 325) if tile else (273, 279)
    size = [(322, "I", [across]), (323, "I", [down])] if tile else [(278, "I", [64])]
    at = 8 + sum(len(each) for each in segments)
    starts = [8 + sum(len(each) for each in segments[:number]) for number in range(len(segments))]
    tags += [*size, (places, "I", starts), (counts, "I", [len(each) for each in segments])]
    entries, more = b"", b""
    for tag, kind, values in sorted(tags):
        data = struct.pack(f"<{len(values)}{kind}", *values)
        if len(data) > 4:
            data, more = struct.pack("<I", at + 6 + 12 * len(tags) + len(more)), more + data
        entries += struct.pack("<HHI", tag, 3 if kind == "H" else 4, len(values)) + data.ljust(
            4, b"\0"
        )
    blob = b"II*\0" + struct.pack("<I", at) + b"".join(segments)
    blob += struct.pack("<H", len(tags)) + entries + bytes(4) + more
    assert np.abs(pixels_of(blob, (64, 96)).astype(int) - COLOURS).max() <= 3


def test_an_old_palette_of_eight_bits_is_not_black() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (3, 256)).astype(np.uint16)
    indices = np.arange(256, dtype=np.uint8).reshape(16, 16)
    blob = written((indices, {"photometric": "palette", "colormap": colours}))
    assert np.array_equal(pixels_of(blob, (16, 16)), colours.T[indices])


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4"])
def test_not_a_number_is_black_in_every_type(dtype: str) -> None:
    values = np.array([[np.nan, -np.inf, 0.0, 0.5, np.inf, 1.0]]).astype(dtype)
    blob = written((values, {"photometric": "minisblack", "compression": "deflate"}))
    assert pixels_of(blob, (1, 6))[0, :, 0].tolist() == [0, 0, 0, 128, 255, 255]


@pytest.mark.parametrize("options", [{}, {"compression": "deflate"}, {"tile": (16, 16)}])
def test_a_file_cut_short_is_truncated(options: dict[str, object]) -> None:
    samples = np.random.default_rng(0).integers(0, 60000, (3, 64, 96)).astype(np.uint16)
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, photometric="rgb", planarconfig="separate", **options)
    assert isinstance(open_image(stream.getvalue(), EXACT), LevelledPicture)
    _, info = decode_image(stream.getvalue()[:-5000], EXACT, (64, 96))
    assert info.reject is not None
    assert info.reject.reason == "truncated"


@pytest.mark.parametrize(
    ("samples", "options", "words"),
    [
        (np.zeros((9, 9), np.complex64), {}, "bits of sample format"),
        (np.zeros((9, 9), np.uint16), {"photometric": "cfa"}, "CFA is not read"),
    ],
)
def test_what_is_not_read_says_so(
    samples: np.ndarray, options: dict[str, object], words: str
) -> None:
    blob = written((samples, {"photometric": "minisblack", **options}))
    _, info = decode_image(blob, EXACT, (9, 9))
    assert info.reject is not None
    assert info.reject.reason == "unsupported"
    assert words in info.reject.detail


def test_a_large_strip_is_read_in_bands() -> None:
    ramp = np.linspace(0, 1, 3_000_000).reshape(3, 1000, 1000)
    blob = written((ramp, {"planarconfig": "separate"}))
    expected = np.moveaxis(ramp, 0, -1) * 255
    assert np.abs(pixels_of(blob, (1000, 1000)) - expected).max() <= 0.51


def test_a_transparent_colour_of_16_bits_hides_no_near_colour() -> None:
    near, key = (64251, 5140, 5140), (64250, 5140, 5140)
    samples = np.array([[near, key]], np.uint16)
    blob = imagecodecs.png_encode(samples)
    blob = with_chunk(blob, b"tRNS", struct.pack(">3H", *key))
    assert Image.open(io.BytesIO(blob)).info["transparency"] == key
    assert pixels_of(blob, (1, 2))[0].tolist() == [[250, 20, 20], [255, 255, 255]]
