import numpy as np
import pytest
from PIL import Image, ImageOps

from artcluster.images.colour import rgb_converter, to_rgb
from artcluster.images.resize import fit_box, orient, resize, resize_giant

SIZES = [
    (700, 700),
    (500, 1100),
    (1400, 600),
    (448, 448),
    (448, 317),
    (317, 448),
    (600, 500),
    (240, 300),
    (300, 150),
    (80, 100),
    (1000, 230),
    (3, 1),
    (1, 1),
]


def noise(height: int, width: int) -> np.ndarray:
    """Black and white dots: the hardest content for two resizers to agree on."""
    rng = np.random.default_rng(height * 10_000 + width)
    return rng.integers(0, 2, (height, width, 3), dtype=np.uint8) * 255


def by_pillow(pixels: np.ndarray, target: tuple[int, int]) -> np.ndarray:
    """Bicubic in the order of passes that Pillow 13 takes, whatever Pillow is installed."""
    image = Image.fromarray(pixels)
    height, width = target
    rows_first = image.height - height > 2 * max(0, image.width - width)
    first = (image.width, height) if rows_first else (width, image.height)
    image = image.resize(first, Image.Resampling.BICUBIC)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)).astype(int)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("target", [(224, 224), (100, 224), (32, 16)])
@pytest.mark.parametrize("as_image", [False, True])
def test_exact_is_within_one_level_of_pillow(
    size: tuple[int, int], target: tuple[int, int], as_image: bool
) -> None:
    pixels = noise(*size)
    picture = Image.fromarray(pixels) if as_image else pixels
    result = resize(picture, target, (0, 0, size[1], size[0]), turned=False, exact=True)
    assert result.shape == (*target, 3)
    assert np.abs(result - by_pillow(pixels, target)).max() <= 1


@pytest.mark.parametrize("size", SIZES)
def test_the_fast_path_is_never_far_from_pillow(size: tuple[int, int]) -> None:
    result = resize(noise(*size), (224, 224), (0, 0, size[1], size[0]), turned=False, exact=False)
    assert np.abs(result - by_pillow(noise(*size), (224, 224))).max() <= 2


@pytest.mark.skipif(
    int(Image.__version__.split(".")[0]) < 13, reason="Pillow chose another order before 13"
)
@pytest.mark.parametrize("size", SIZES)
def test_the_order_of_passes_is_pillows(size: tuple[int, int]) -> None:
    pixels = noise(*size)
    straight = Image.fromarray(pixels).resize((224, 224), Image.Resampling.BICUBIC)
    assert np.array_equal(np.asarray(straight), by_pillow(pixels, (224, 224)))


@pytest.mark.parametrize("size", [(500, 1500), (1500, 500), (448, 317)])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_after_the_resize_equals_turning_before(
    size: tuple[int, int], orientation: int
) -> None:
    pixels, turned = noise(*size), orientation >= 5
    target = (100, 224)
    own_frame = target[::-1] if turned else target
    box = (0, 0, size[1], size[0])
    result = orient(resize(pixels, own_frame, box, turned=turned, exact=True), orientation)
    assert np.abs(result - by_pillow(orient(pixels, orientation), target)).max() <= 1


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "LA", "CMYK", "LAB", "I;16", "F"])
@pytest.mark.parametrize("size", [(60, 900), (900, 60), (301, 302)])
@pytest.mark.parametrize("turned", [False, True])
def test_a_giant_piece_by_piece_is_the_giant_as_a_whole(
    mode: str, size: tuple[int, int], turned: bool
) -> None:
    height, width = size
    pixels = noise(height, width)
    if mode == "LAB":
        picture = Image.frombytes("LAB", (width, height), pixels.tobytes())
    elif mode == "I;16":
        picture = Image.fromarray(pixels[..., 0] * np.uint16(257))
    else:
        picture = Image.fromarray(pixels).convert(mode)
    target, box = (40, 30), (width // 10, 0, width - width // 10, height)
    pieces = resize_giant(
        picture, rgb_converter(picture), target, box, turned=turned, piece_pixels=5000
    )
    whole = resize_giant(picture, rgb_converter(picture), target, box, turned=turned)
    assert np.array_equal(pieces, whole)
    small = resize(to_rgb(picture), target, box, turned=turned, exact=False)
    assert np.abs(pieces.astype(int) - small).max() <= 1


def test_squash_takes_the_whole_picture() -> None:
    assert fit_box((30, 50), (224, 224), "squash") == (0, 0, 50, 30)


@pytest.mark.parametrize("size", [(30, 50), (50, 31), (1, 1000), (999, 2), (224, 224)])
@pytest.mark.parametrize("target", [(224, 224), (10, 40)])
def test_crop_takes_a_centred_box_of_the_targets_shape(
    size: tuple[int, int], target: tuple[int, int]
) -> None:
    left, top, right, bottom = fit_box(size, target, "crop")
    assert (left, top) == (size[1] - right, size[0] - bottom)
    assert right > left >= 0
    assert bottom > top >= 0
    assert left == 0 or top == 0
    ideal = max(1.0, min(size[1], size[0] * target[1] / target[0]))
    assert abs(right - left - ideal) <= 1.5


def test_orient_agrees_with_pillow() -> None:
    pixels = noise(5, 7)
    for orientation in range(1, 9):
        image = Image.fromarray(pixels)
        image.getexif()[274] = orientation
        assert np.array_equal(orient(pixels, orientation), ImageOps.exif_transpose(image))
