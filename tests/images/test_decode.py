"""Bytes to pixels, whole: against Pillow, over the demo archive, under both fits."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from artcluster.images.decode import decode_image
from artcluster.images.policy import PixelPolicy
from tests.images.handmade import (
    DEMO_ARCHIVE,
    QUADRANTS,
    demo_picture,
    encode,
    exif_of,
    painting,
    psnr_db,
    quadrant_means,
    quarters,
    swapped_primaries_profile,
)

EXACT, SCALED = PixelPolicy(decode="exact"), PixelPolicy()
SIZE = (224, 224)
new_pillow = pytest.mark.skipif(
    int(Image.__version__.split(".")[0]) < 13, reason="Pillow resized in another order before 13"
)


def pixels_of(blob: bytes, policy: PixelPolicy, size: tuple[int, int] = SIZE) -> np.ndarray:
    pixels, info = decode_image(blob, policy, size)
    assert info.reject is None
    assert pixels is not None
    assert pixels.dtype == np.uint8
    assert pixels.shape == (*size, 3)
    return pixels


def by_pillow(blob: bytes, size: tuple[int, int] = SIZE) -> np.ndarray:
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(blob))).convert("RGB")
    return np.asarray(image.resize(size[::-1], Image.Resampling.BICUBIC)).astype(int)


@new_pillow
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("size", [(1000, 1000), (700, 1300), (1300, 700), (317, 448)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_exact_is_within_one_level_of_pillow(
    kind: str, size: tuple[int, int], orientation: int
) -> None:
    blob = encode(painting(*size), kind, exif=exif_of(orientation))
    for target in (SIZE, (96, 200)):
        assert np.abs(pixels_of(blob, EXACT, target) - by_pillow(blob, target)).max() <= 1


@pytest.mark.parametrize("factor", [3, 5, 9])
@pytest.mark.parametrize("progressive", [False, True])
def test_scaled_stays_near_exact(factor: int, progressive: bool) -> None:
    picture = demo_picture("constellations/western/orion.jpg")
    picture = picture.resize((picture.width * factor, picture.height * factor), 3)
    blob = encode(picture, "JPEG", quality=90, progressive=progressive)
    assert psnr_db(pixels_of(blob, SCALED), pixels_of(blob, EXACT)) >= 45


def test_scaled_jpeg_2000_stays_near_exact() -> None:
    size = (64, 64)
    blob = encode(painting(600, 500), "JPEG2000", irreversible=True)
    half_scaled, full = pixels_of(blob, SCALED, size), pixels_of(blob, EXACT, size)
    assert not np.array_equal(half_scaled, full)
    assert psnr_db(half_scaled, full) >= 35
    one_level = encode(painting(600, 500), "JPEG2000", num_resolutions=1)
    assert np.array_equal(pixels_of(one_level, SCALED, size), pixels_of(one_level, EXACT, size))


def test_a_scaled_cmyk_jpeg_stays_near_exact() -> None:
    blob = encode(painting(600, 500).convert("CMYK"), "JPEG", quality=90)
    size = (64, 64)
    assert psnr_db(pixels_of(blob, SCALED, size), pixels_of(blob, EXACT, size)) >= 40


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "MPO"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_ends_upright(kind: str, orientation: int) -> None:
    upright = quarters(96, 64)
    methods = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright.transpose(methods[orientation]) if orientation > 1 else upright
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95}
    blob = encode(stored, kind, exif=exif_of(orientation), **options)
    pixels, info = decode_image(blob, SCALED, (64, 96))
    assert pixels is not None
    assert (info.width, info.height) == (96, 64)
    assert np.abs(quadrant_means(pixels) - np.array(QUADRANTS)).max() <= 6


def test_a_png_with_exif_after_its_pixels_is_turned_too() -> None:
    blob = encode(quarters(96, 64).transpose(2), "PNG", exif=exif_of(6))
    at = blob.index(b"eXIf") - 4
    length = 12 + int.from_bytes(blob[at : at + 4], "big")
    chunk, rest = blob[at : at + length], blob[:at] + blob[at + length :]
    end = rest.index(b"IEND") - 4
    pixels, info = decode_image(rest[:end] + chunk + rest[end:], SCALED, (64, 96))
    assert pixels is not None
    assert (info.width, info.height) == (96, 64)
    assert np.abs(quadrant_means(pixels) - np.array(QUADRANTS)).max() <= 1


@pytest.mark.parametrize("policy", [EXACT, SCALED])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_turbo_path_converts_profiles(policy: PixelPolicy, mode: str) -> None:
    profile = swapped_primaries_profile()
    picture = painting(500, 450).convert(mode)
    size = (96, 96)
    jpeg = encode(picture, "JPEG", quality=100, subsampling=0, icc_profile=profile)
    png = encode(picture, "PNG", icc_profile=profile)
    assert psnr_db(pixels_of(jpeg, policy, size), pixels_of(png, EXACT, size)) > 35
    if mode == "RGB":
        plain = encode(picture, "PNG")
        assert psnr_db(pixels_of(jpeg, policy, size), pixels_of(plain, EXACT, size)) < 25


def test_crop_keeps_the_middle_square() -> None:
    picture = Image.new("RGB", (300, 100), (255, 0, 0))
    picture.paste(quarters(100, 100), (100, 0))
    for kind, orientation in (("JPEG", 1), ("PNG", 1), ("JPEG", 6)):
        stored = picture.transpose(2) if orientation == 6 else picture
        blob = encode(stored, kind, exif=exif_of(orientation))
        pixels = pixels_of(blob, PixelPolicy(fit="crop"), (64, 64))
        assert np.abs(quadrant_means(pixels) - np.array(QUADRANTS)).max() <= 4


def test_squash_keeps_the_borders() -> None:
    picture = Image.new("RGB", (300, 100), (255, 0, 0))
    picture.paste(quarters(100, 100), (100, 0))
    pixels = pixels_of(encode(picture, "PNG"), SCALED, (64, 64))
    assert np.abs(pixels[:, :16].astype(int) - [255, 0, 0]).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (5000, 1), (2, 3)])
@pytest.mark.parametrize("fit", ["squash", "crop"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_smallest_and_the_thinnest(size: tuple[int, int], fit: str, kind: str) -> None:
    blob = encode(Image.new("RGB", size, (10, 200, 30)), kind, quality=95)
    pixels = pixels_of(blob, PixelPolicy(fit=fit))
    assert np.abs(pixels.astype(int) - [10, 200, 30]).max() <= 4


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "GIF", "JPEG2000", "BMP", "AVIF"])
def test_a_file_cut_in_half_is_refused(kind: str) -> None:
    blob = encode(painting(200, 200), kind)
    pixels, info = decode_image(blob[: len(blob) // 2], SCALED, SIZE)
    assert pixels is None
    assert info.reject is not None
    assert info.reject.reason in ("truncated", "corrupt")


def test_a_refused_picture_keeps_what_its_header_said() -> None:
    blob = encode(painting(200, 100), "PNG")
    _, info = decode_image(blob[:-5000], SCALED, SIZE)
    assert info.reject is not None
    assert (info.width, info.height, info.format) == (200, 100, "PNG")
    assert (info.reject.stage, info.reject.reason) == ("decode", "truncated")


def test_the_pixel_limit_is_checked_before_decoding() -> None:
    _, info = decode_image(encode(quarters(100, 60), "PNG"), PixelPolicy(max_pixels=10), SIZE)
    assert info.reject is not None
    assert info.reject.reason == "too-large"


def demo_files() -> list[Path]:
    return sorted(path for path in (DEMO_ARCHIVE / "images").rglob("*") if path.is_file())


@new_pillow
def test_the_demo_archive_is_within_one_level_of_pillow() -> None:
    for path in demo_files()[::5]:
        blob = path.read_bytes()
        pixels, info = decode_image(blob, EXACT, (96, 96))
        if info.reject is None:
            assert np.abs(pixels - by_pillow(blob, (96, 96))).max() <= 1, path


def test_the_demo_archives_turned_and_cmyk_pictures() -> None:
    [turned] = [path for path in demo_files() if "turned" in path.name]
    blob = turned.read_bytes()
    info = decode_image(blob, SCALED, SIZE)[1]
    stored = Image.open(io.BytesIO(blob))
    assert (info.width, info.height) == stored.size[::-1]
    assert psnr_db(pixels_of(blob, SCALED), by_pillow(blob)) > 45
    [cmyk] = [path for path in demo_files() if "cmyk" in path.name]
    image = Image.open(cmyk)
    assert image.mode == "CMYK"
    ink = np.asarray(image.resize(SIZE[::-1], Image.Resampling.BICUBIC)).astype(float)
    by_hand = (255 - ink[..., :3]) * (255 - ink[..., 3:]) / 255
    assert psnr_db(pixels_of(cmyk.read_bytes(), EXACT), by_hand) > 40
    assert pixels_of(cmyk.read_bytes(), EXACT).mean() > 128  # drawn on white paper
