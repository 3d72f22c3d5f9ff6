"""Every mode, from hand-made files to the colours that a person would see."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from artcluster.images.colour import moves_colours, to_rgb, to_srgb
from tests.images.handmade import (
    QUADRANTS,
    cmyk_profile_of_one_colour,
    encode,
    grey_profile,
    painting,
    quadrant_means,
    quarters,
    swapped_primaries_profile,
)


def rgb_of(blob: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(blob))
    image.load()
    return np.asarray(to_rgb(image))


def assert_quarters(pixels: np.ndarray, tolerance: float = 2) -> None:
    assert np.abs(quadrant_means(pixels) - np.array(QUADRANTS)).max() <= tolerance


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95}, 3),
        ("PNG", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("GIF", {}, 0),
        ("BMP", {}, 0),
        ("JPEG2000", {}, 0),
        ("AVIF", {"quality": 95}, 4),
        ("MPO", {"quality": 95}, 3),
    ],
)
def test_every_format_keeps_its_colours(
    kind: str, options: dict[str, object], tolerance: float
) -> None:
    assert_quarters(rgb_of(encode(quarters(), kind, **options)), tolerance)


def test_cmyk_tiff() -> None:
    assert_quarters(rgb_of(encode(quarters().convert("CMYK"), "TIFF")), 2)


def test_inverted_cmyk_of_adobe() -> None:
    blob = encode(quarters().convert("CMYK"), "JPEG", quality=98)
    assert b"Adobe" in blob
    assert_quarters(rgb_of(blob), 4)


def test_black_ink_counts() -> None:
    half_black = Image.new("CMYK", (8, 8), (0, 0, 0, 128))
    assert np.abs(rgb_of(encode(half_black, "TIFF")).astype(int) - 127).max() <= 1


def test_ycbcr_tiff() -> None:
    assert_quarters(rgb_of(encode(quarters().convert("YCbCr"), "TIFF", compression="raw")), 3)


def test_lab_tiff() -> None:
    lab = ImageCms.profileToProfile(
        quarters(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    blob = encode(lab, "TIFF")
    assert Image.open(io.BytesIO(blob)).mode == "LAB"
    assert_quarters(rgb_of(blob), 4)


def test_palette() -> None:
    assert_quarters(rgb_of(encode(quarters().quantize(8), "PNG")), 2)


def test_one_bit() -> None:
    image = Image.fromarray(np.indices((8, 8)).sum(axis=0) % 2 == 0)
    assert image.mode == "1"
    for kind in ("PNG", "TIFF", "BMP"):
        rgb = rgb_of(encode(image, kind))
        assert rgb[0, 0].tolist() == [255] * 3
        assert rgb[0, 1].tolist() == [0] * 3


HALF_RED_ON_WHITE = [255, 127, 127]


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("RGBA", (255, 0, 0, 128), HALF_RED_ON_WHITE),
        ("RGBA", (255, 0, 0, 0), [255] * 3),
        ("RGBa", (128, 0, 0, 128), HALF_RED_ON_WHITE),
        ("LA", (0, 128), [127] * 3),
        ("La", (0, 128), [127] * 3),
    ],
)
def test_alpha_is_laid_on_white(mode: str, colour: tuple[int, ...], expected: list[int]) -> None:
    rgb = np.asarray(to_rgb(Image.new(mode, (4, 4), colour)))
    assert np.abs(rgb[0, 0].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG2000"])
def test_alpha_in_files(kind: str) -> None:
    image = Image.new("RGBA", (16, 16), (255, 0, 0, 128))
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    rgb = rgb_of(encode(image, kind, **options))
    assert np.abs(rgb[8, 8].astype(int) - HALF_RED_ON_WHITE).max() <= 1


def test_premultiplied_alpha_in_a_tiff() -> None:
    blob = bytearray(encode(Image.new("RGBA", (4, 4), (128, 0, 0, 128)), "TIFF"))
    extra_samples = (338).to_bytes(2, "little") + (3).to_bytes(2, "little")
    at = blob.index(extra_samples)
    blob[at + 8 : at + 10] = (1).to_bytes(2, "little")
    assert np.abs(rgb_of(bytes(blob))[0, 0].astype(int) - HALF_RED_ON_WHITE).max() <= 1


def test_a_transparent_palette_entry_is_white() -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 1)
    for kind in ("PNG", "GIF"):
        rgb = rgb_of(encode(image, kind, transparency=0))
        assert rgb[2, 2].tolist() == [255] * 3
        assert rgb[0, 0].tolist() == [0, 0, 255]


def test_half_transparent_palette_entries() -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([255, 0, 0])
    rgb = rgb_of(encode(image, "PNG", transparency=bytes([128])))
    assert np.abs(rgb[0, 0].astype(int) - HALF_RED_ON_WHITE).max() <= 1


@pytest.mark.parametrize(("mode", "key"), [("L", 7), ("RGB", (7, 8, 9))])
def test_a_colour_key_is_white(mode: str, key: object) -> None:
    image = Image.new(mode, (4, 4), 0)
    image.putpixel((1, 1), key)  # type: ignore[arg-type]
    rgb = rgb_of(encode(image, "PNG", transparency=key))
    assert rgb[1, 1].tolist() == [255] * 3
    assert rgb[0, 0].tolist() == [0] * 3


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_frame_is_taken(kind: str) -> None:
    other = Image.new("RGB", (96, 64), (1, 2, 3))
    options = {"lossless": True} if kind == "WEBP" else {}
    blob = encode(quarters(), kind, save_all=True, append_images=[other], **options)
    assert Image.open(io.BytesIO(blob)).n_frames == 2  # type: ignore[attr-defined]
    assert_quarters(rgb_of(blob), 0)


def test_a_profile_is_converted_to_srgb() -> None:
    profile = swapped_primaries_profile()
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    for kind in ("JPEG", "PNG", "TIFF", "WEBP"):
        rgb = rgb_of(encode(red, kind, icc_profile=profile))[4, 4].astype(int)
        assert rgb[1] >= 250, kind
        assert rgb[0] <= 10, kind


def test_a_profile_applies_under_transparency_and_palettes() -> None:
    profile = swapped_primaries_profile()
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 128))
    half_green = rgb_of(encode(clear, "PNG", icc_profile=profile))[4, 4].astype(int)
    assert np.abs(half_green - [127, 255, 127]).max() <= 4
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([255, 0, 0])
    assert rgb_of(encode(palette, "PNG", icc_profile=profile))[4, 4][1] >= 250


def test_a_grey_profile_is_converted() -> None:
    linear = Image.new("L", (8, 8), 128)
    rgb = rgb_of(encode(linear, "PNG", icc_profile=grey_profile(1.0)))[4, 4].astype(int)
    assert np.abs(rgb - 188).max() <= 2  # linear 0.5 is 188 in sRGB


def test_an_rgb_profile_on_a_grey_picture() -> None:
    rgb = rgb_of(
        encode(Image.new("L", (8, 8), 128), "PNG", icc_profile=swapped_primaries_profile())
    )
    assert np.ptp(rgb[4, 4].astype(int)) <= 2


def test_a_cmyk_profile_is_converted() -> None:
    # 8-bit Lab of (53, 80, 67): sRGB red.
    profile = cmyk_profile_of_one_colour((136, 208, 195))
    image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    for kind in ("JPEG", "TIFF"):
        rgb = rgb_of(encode(image, kind, icc_profile=profile))[8, 8].astype(int)
        assert rgb[0] > 240, (kind, rgb)
        assert rgb[2] < 40, (kind, rgb)


@pytest.mark.parametrize("profile", [b"", b"no profile at all", swapped_primaries_profile()[:200]])
def test_a_broken_profile_is_ignored(profile: bytes) -> None:
    assert np.array_equal(np.asarray(to_srgb(quarters(), profile)), np.asarray(quarters()))
    assert not moves_colours(profile, "RGB")


def test_a_profile_of_another_colour_space_is_ignored() -> None:
    profile = cmyk_profile_of_one_colour((136, 208, 195))
    assert np.array_equal(np.asarray(to_srgb(quarters(), profile)), np.asarray(quarters()))


def test_srgb_itself_moves_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = painting(64, 64)
    assert not moves_colours(profile, "RGB")
    assert np.array_equal(np.asarray(to_srgb(image, profile)), np.asarray(image))
    assert moves_colours(swapped_primaries_profile(), "RGB")
