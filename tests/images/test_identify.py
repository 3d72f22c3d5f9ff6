import gzip
import importlib.util
import io
from pathlib import Path

import pytest
from PIL import Image

from artcluster.images.identify import FORMATS, pillow_limits, probe_image
from artcluster.images.policy import PixelPolicy
from tests.absent import absent
from tests.images.handmade import encode, exif_of, painting, quarters, with_declared_size

POLICY = PixelPolicy()
ODD = Path(__file__).parents[1] / "data" / "odd"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "JPEG2000", "AVIF"])
def test_format_and_size_come_from_the_bytes(kind: str) -> None:
    info = probe_image(encode(quarters(96, 64), kind), POLICY)
    assert (info.width, info.height, info.format, info.reject) == (96, 64, kind, None)


def test_mpo() -> None:
    blob = encode(quarters(), "MPO", save_all=True, append_images=[quarters()])
    assert probe_image(blob, POLICY).format == "MPO"


def test_psd() -> None:
    header = b"8BPS\0\1" + bytes(6) + bytes([0, 3, 0, 0, 0, 2, 0, 0, 0, 5, 0, 8, 0, 3])
    blob = header + bytes(12) + b"\0\0" + bytes(30)
    info = probe_image(blob, POLICY)
    assert (info.width, info.height, info.format) == (5, 2, "PSD")


def test_heic_with_its_package() -> None:
    if importlib.util.find_spec("pillow_heif") is None:
        absent("pillow-heif")
    assert "HEIF" in FORMATS
    info = probe_image(encode(quarters(96, 64), "HEIF"), POLICY)
    assert (info.width, info.height, info.format) == (96, 64, "HEIF")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_size_is_given_upright(kind: str, orientation: int) -> None:
    info = probe_image(encode(quarters(96, 64), kind, exif=exif_of(orientation)), POLICY)
    assert (info.width, info.height) == ((64, 96) if orientation == 6 else (96, 64))


def test_unreadable_exif_counts_as_upright() -> None:
    blob = encode(quarters(96, 64), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    info = probe_image(blob, POLICY)
    assert (info.width, info.height, info.reject) == (96, 64, None)


@pytest.mark.parametrize(
    ("blob", "reason", "word"),
    [
        (b"", "empty", "0 bytes"),
        (b"<!doctype html><title>404</title>", "not-an-image", "web page"),
        (b"root:x:0:0:root:/root:/bin/sh", "not-an-image", "a text"),
        (b"P1 hunter2-secret", "not-an-image", "a text"),
        (b"\0" * 4096, "not-an-image", "known format"),
        (b'<?xml version="1.0"?>\n<!-- x -->\n<svg xmlns="a">', "unsupported", "SVG"),
        (b"  <svg>", "unsupported", "SVG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "unsupported", "EPS"),
        (b"%PDF-1.7\n", "corrupt", "PDF"),
        (b"<?xml version='1.0'?>" + b"<!-- a -->" * 5000 + b"<svg>", "unsupported", "SVG"),
        (b"<?xml version='1.0'?>" + b"<!-- a -->" * 5000 + b"<html>", "not-an-image", "XML"),
        (gzip.compress(b"<svg>"), "unsupported", "SVG"),
        (bytes(128) + b"DICM" + bytes(64), "unsupported", "DICOM"),
        (b"II\xbc\x01" + bytes(64), "unsupported", "JPEG XR"),
        (b"IIU\0" + bytes(64), "unsupported", "raw"),
        (bytes(522) + b"\0\x11\2\xff\x0c\0", "unsupported", "PICT"),
        (b"8BPS\0\2" + bytes(60), "unsupported", "Photoshop"),
    ],
)
def test_what_is_no_readable_image_says_why(blob: bytes, reason: str, word: str) -> None:
    info = probe_image(blob, POLICY)
    assert info.reject is not None
    assert (info.reject.stage, info.reject.reason) == ("identify", reason)
    assert word in info.reject.detail
    assert "root" not in info.reject.detail
    assert "hunter2" not in info.reject.detail
    assert info.width is info.height is info.format is None


def test_a_damaged_heic_is_not_called_unread() -> None:
    if "HEIF" not in FORMATS:
        absent("pillow-heif")
    reject = probe_image((ODD / "corrupted.heic").read_bytes(), POLICY).reject
    assert reject is not None
    assert reject.reason in ("corrupt", "truncated")


def test_eps_is_never_opened_though_pillow_could() -> None:
    blob = encode(quarters(), "EPS")
    Image.open(io.BytesIO(blob))
    reject = probe_image(blob, POLICY).reject
    assert reject is not None
    assert reject.reason == "unsupported"


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "GIF", "JPEG", "WEBP"])
def test_a_cut_header_is_a_reject(kind: str) -> None:
    reject = probe_image(encode(quarters(), kind)[:14], POLICY).reject
    assert reject is not None
    assert reject.reason in ("truncated", "corrupt", "not-an-image")


def test_a_cut_webp_is_told_from_a_corrupt_one() -> None:
    blob = encode(painting(300, 300), "WEBP")
    reject = probe_image(blob[: len(blob) // 2], POLICY).reject
    assert reject is not None
    assert reject.reason == "truncated"


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "TIFF"])
@pytest.mark.parametrize("limit", [5999, 1000])
def test_the_pixel_limit_is_exact_and_read_from_the_header(kind: str, limit: int) -> None:
    blob = encode(quarters(100, 60), kind)
    assert probe_image(blob, PixelPolicy(max_pixels=6000)).reject is None
    info = probe_image(blob, PixelPolicy(max_pixels=limit))
    assert info.reject is not None
    assert info.reject.reason == "too-large"
    assert (info.width, info.height, info.format) == (100, 60, kind)


def test_a_bomb_is_refused_by_its_header() -> None:
    info = probe_image(with_declared_size(encode(quarters(), "PNG"), 200_000, 200_000), POLICY)
    assert info.reject is not None
    assert info.reject.reason == "too-large"
    assert info.width == 200_000


def test_pillows_own_limits_are_put_back() -> None:
    before = Image.MAX_IMAGE_PIXELS
    with pillow_limits(10):
        assert Image.MAX_IMAGE_PIXELS == 5
    assert before == Image.MAX_IMAGE_PIXELS
