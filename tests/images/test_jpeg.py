import io

import numpy as np
import pytest
from PIL import Image

from artcluster.images.decode import decode_image, decode_jpeg, scale_divisor
from artcluster.images.policy import PixelPolicy
from tests.images.handmade import encode, painting, psnr_db

VARIANTS: list[dict[str, object]] = [
    {"quality": 90},
    {"quality": 90, "progressive": True},
    {"quality": 75, "subsampling": 0},
    {"quality": 90, "subsampling": 1},
    {"quality": 90, "keep_rgb": True},
    {"quality": 90, "restart_marker_rows": 2},
]


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_full_decode_is_pillows(options: dict[str, object], mode: str) -> None:
    if mode == "L" and "keep_rgb" in options:
        pytest.skip("RGB alone")
    blob = encode(painting(301, 203).convert(mode), "JPEG", **options)
    pixels = decode_jpeg(blob, (203, 301), 1)
    assert pixels is not None
    expected = np.asarray(Image.open(io.BytesIO(blob)).convert("RGB")).astype(int)
    assert np.abs(pixels - expected).max() <= 1


@pytest.mark.parametrize("divisor", [2, 4])
@pytest.mark.parametrize("size", [(1001, 907), (960, 1280)])
def test_scaled_decode_is_exactly_a_half_or_a_quarter(divisor: int, size: tuple[int, int]) -> None:
    blob = encode(painting(size[1], size[0]), "JPEG", quality=90)
    pixels = decode_jpeg(blob, size, divisor)
    assert pixels is not None
    assert pixels.shape == (-(-size[0] // divisor), -(-size[1] // divisor), 3)
    full = np.asarray(Image.open(io.BytesIO(blob)).resize(pixels.shape[1::-1], 4))
    assert psnr_db(pixels, full) > 25


@pytest.mark.parametrize(
    ("size", "divisor"),
    [
        ((895, 895), 1),
        ((896, 896), 2),
        ((1791, 5000), 2),
        ((1792, 1792), 4),
        ((9000, 9000), 4),
        ((400, 9000), 1),
    ],
)
def test_twice_the_target_is_left(size: tuple[int, int], divisor: int) -> None:
    assert scale_divisor(size, (224, 224)) == divisor


@pytest.mark.parametrize("progressive", [False, True])
def test_wherever_a_jpeg_is_cut_both_paths_agree(progressive: bool) -> None:
    """A cut file is refused or marked, or decodes as Pillow decodes it; never padded in silence."""
    image = painting(64, 48)
    blob = encode(image, "JPEG", quality=85, progressive=progressive)
    refused = 0
    for length in range(1, len(blob)):
        cut = blob[:length]
        pixels, info = decode_image(cut, PixelPolicy(decode="exact"), (16, 16))
        try:
            expected = Image.open(io.BytesIO(cut))
            expected.load()
        except Exception:
            if info.damage is not None:
                assert pixels is not None
                continue
            assert pixels is None, length
            assert info.reject is not None
            assert info.reject.reason in ("truncated", "corrupt", "not-an-image"), info
            refused += 1
        else:
            assert pixels is not None
            assert np.abs(pixels - np.asarray(expected.resize((16, 16), 3)).astype(int)).max() <= 1
    assert refused >= len(blob) // (8 if progressive else 2)


def test_a_strange_byte_between_markers_is_left_to_pillow() -> None:
    """libjpeg warns of it and goes on; so does Pillow, and so must we."""
    blob = encode(painting(64, 48), "JPEG")
    at = blob.index(b"\xff\xda")
    odd = blob[:at] + b"\x12\x34" + blob[at:]
    assert decode_jpeg(odd, (48, 64), 1) is None
    pixels, info = decode_image(odd, PixelPolicy(), (16, 16))
    assert info.reject is None
    assert pixels is not None


def test_what_is_no_jpeg_gives_none() -> None:
    assert decode_jpeg(b"no jpeg", (8, 8), 1) is None
