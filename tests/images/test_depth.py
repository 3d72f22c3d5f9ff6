import numpy as np
import pytest
from PIL import Image

from artcluster.images.colour import deep_to_grey, scale_to_uint8, to_rgb
from tests.images.handmade import encode

RAMP_16 = np.linspace(0, 65535, 256 * 4).round().astype(np.uint16).reshape(4, 256)


def loaded(blob: bytes) -> Image.Image:
    import io

    image = Image.open(io.BytesIO(blob))
    image.load()
    return image


def assert_linear_ramp(grey: Image.Image, levels: float = 255) -> None:
    values = np.asarray(grey.convert("L")).ravel().astype(float)
    assert np.abs(values - np.linspace(0, levels, values.size)).max() <= 0.75


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG2000"])
def test_a_16_bit_ramp_stays_linear(kind: str) -> None:
    blob = encode(Image.fromarray(RAMP_16), kind)
    image = loaded(blob)
    assert image.mode.startswith("I;16")
    assert_linear_ramp(to_rgb(image))


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B"])
def test_either_byte_order(mode: str) -> None:
    order = ">u2" if mode == "I;16B" else "<u2"
    image = Image.frombytes(mode, (256, 4), RAMP_16.astype(order).tobytes())
    assert_linear_ramp(deep_to_grey(image))


def test_a_dark_16_bit_picture_stays_dark() -> None:
    image = Image.fromarray(np.full((8, 8), 257 * 10, np.uint16))
    assert set(np.asarray(deep_to_grey(image)).ravel()) == {10}


def test_declared_12_bits_are_the_full_range() -> None:
    image = Image.fromarray((RAMP_16 >> 4).astype(np.uint16))
    blob = encode(image, "TIFF")
    twelve = loaded(blob)
    twelve.tag_v2[258] = (12,)  # type: ignore[attr-defined]
    assert_linear_ramp(deep_to_grey(twelve))


def test_white_is_zero_is_inverted() -> None:
    image = Image.fromarray(np.zeros((4, 4), np.uint16))
    image = loaded(encode(image, "TIFF"))
    image.tag_v2[262] = 0  # type: ignore[attr-defined]
    assert set(np.asarray(deep_to_grey(image)).ravel()) == {255}


@pytest.mark.parametrize(("top", "levels"), [(255, 255), (65535, 255), (200, 200), (70_000, 255)])
def test_32_bit_integers(top: int, levels: int) -> None:
    ramp = np.linspace(0, top, 1024).round().astype(np.int32).reshape(4, 256)
    image = loaded(encode(Image.fromarray(ramp), "TIFF"))
    assert image.mode == "I"
    assert_linear_ramp(deep_to_grey(image), levels)


@pytest.mark.parametrize(
    ("low", "high", "levels"),
    [(0, 1, 255), (0, 0.5, 127.5), (0, 255, 255), (-3, 9, 255), (5, 1e6, 255)],
)
def test_floats(low: float, high: float, levels: float) -> None:
    ramp = np.linspace(low, high, 1024, dtype=np.float32).reshape(4, 256)
    image = loaded(encode(Image.fromarray(ramp), "TIFF"))
    assert image.mode == "F"
    assert_linear_ramp(deep_to_grey(image), levels)


def test_not_a_number_counts_as_lowest_and_infinity_as_highest() -> None:
    values = np.array([[np.nan, -np.inf, 0.0, 0.5, np.inf]], np.float32)
    assert scale_to_uint8(values, (1, 255)).tolist() == [[0, 0, 0, 128, 128]]
    assert scale_to_uint8(np.full((1, 2), np.nan, np.float32), (1, 255)).tolist() == [[0, 0]]


def test_one_value_beyond_all_ceilings_does_not_divide_by_zero() -> None:
    assert scale_to_uint8(np.full((1, 2), 1e9), (1, 255)).tolist() == [[0, 0]]


def test_a_colour_key_in_16_bit_is_laid_on_white() -> None:
    values = np.zeros((2, 2), np.uint16)
    values[0, 0] = 300
    image = loaded(encode(Image.fromarray(values), "PNG", transparency=300))
    rgb = np.asarray(to_rgb(image))
    assert rgb[0, 0].tolist() == [255, 255, 255]
    assert rgb[1, 1].tolist() == [0, 0, 0]
