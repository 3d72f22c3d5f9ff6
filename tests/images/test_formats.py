"""Formats that Pillow reads besides those of every day: the right pixels, at any size."""

import importlib.util
import io
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from artcluster.images.decode import decode_image
from artcluster.images.policy import PixelPolicy
from artcluster.images.signatures import may_be_tga
from tests.absent import absent
from tests.images.handmade import (
    encode,
    painting,
    psnr_db,
    quadrant_means,
    quarters,
    swapped_primaries_profile,
)

ODD = Path(__file__).parents[1] / "data" / "odd"
EXACT = PixelPolicy(decode="exact")


def pixels_of(blob: bytes, kind: str, size_px: tuple[int, int] = (64, 96)) -> np.ndarray:
    pixels, info = decode_image(blob, EXACT, size_px)
    assert info.reject is None, info.reject
    assert info.format == kind
    assert pixels is not None
    return pixels


@pytest.mark.parametrize("kind", ["TGA", "PCX", "PPM", "SGI", "QOI", "DDS"])
def test_lossless_formats_give_the_picture_itself(kind: str) -> None:
    picture = painting(96, 64)
    assert np.array_equal(pixels_of(encode(picture, kind), kind), np.asarray(picture))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA"])
@pytest.mark.parametrize("kind", ["TGA", "PCX", "SGI"])
def test_other_modes(kind: str, mode: str) -> None:
    if (kind, mode) in {("PCX", "RGBA"), ("SGI", "1"), ("SGI", "P")}:
        return
    picture = painting(96, 64).convert(mode)
    found = pixels_of(encode(picture, kind), kind)
    assert np.array_equal(found, np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("rle", [None, "tga_rle"])
def test_tga_upside_up(rle: str | None) -> None:
    blob = bytearray(encode(quarters(), "TGA", compression=rle, orientation=-1))
    assert np.array_equal(pixels_of(bytes(blob), "TGA"), np.asarray(quarters()))
    assert may_be_tga(blob)


def test_netpbm_of_16_bits_is_scaled_by_its_own_maximum() -> None:
    values = np.tile(np.arange(96) * 2, (64, 1)).astype(">u2")
    blob = b"P5 96 64 65535\n" + values.tobytes()
    assert pixels_of(blob, "PPM").max() <= 1
    full = b"P5 96 64 190\n" + values.astype(np.uint8).tobytes()
    assert abs(int(pixels_of(full, "PPM").max()) - 255) <= 1


def test_an_icon_is_its_largest_picture() -> None:
    blob = encode(painting(128, 128), "ICO", sizes=[(16, 16), (64, 64)])
    _, info = decode_image(blob, EXACT, (32, 32))
    assert (info.width, info.height, info.format) == (64, 64, "ICO")


def test_a_cursor_of_windows() -> None:
    icon = encode(painting(32, 32), "ICO", sizes=[(32, 32)], bitmap_format="bmp")
    blob = icon[:2] + b"\2" + icon[3:]
    assert pixels_of(blob, "CUR", (32, 32)).std() > 10


def test_a_photo_cd() -> None:
    blob = bytearray(196608 + 768 * 512 * 3 // 2)
    blob[2048:2055] = b"PCD_IPI"
    blob[196608:] = bytes([120, 120]) * 768 + bytes([156]) * 384 + bytes([137]) * 384
    blob[196608:] = blob[196608 : 196608 + 2304] * 256
    found = pixels_of(bytes(blob), "PCD", (32, 48))
    assert np.ptp(found.reshape(-1, 3), axis=0).max() == 0
    assert np.ptp(found[0, 0].astype(int)) < 8


def test_a_picture_of_another_library_in_qoi() -> None:
    blob = (ODD / "hopper.qoi").read_bytes()
    expected = np.asarray(Image.open(io.BytesIO(blob)).convert("RGB"))
    found = pixels_of(blob, "QOI", expected.shape[:2])
    assert psnr_db(found, expected) > 50


def test_a_text_is_no_tga() -> None:
    assert not may_be_tga(b"root:x:0:0:root:/root:/bin/sh\n" * 20)
    assert not may_be_tga(struct.pack("<18B", *([1] * 18)))


@pytest.mark.parametrize("size", [(96, 64), (37, 51), (160, 90), (640, 480)])
@pytest.mark.parametrize("bits", [8, 16])
def test_jpeg_xl(size: tuple[int, int], bits: int) -> None:
    pixels = np.asarray(painting(*size))
    deep = pixels if bits == 8 else pixels.astype(np.uint16) * 257
    found = pixels_of(imagecodecs.jpegxl_encode(deep, lossless=True), "JXL", pixels.shape[:2])
    assert np.array_equal(found, pixels)


def test_a_jpeg_xl_of_giants_is_refused_by_its_header() -> None:
    blob = imagecodecs.jpegxl_encode(np.asarray(painting(96, 64)), lossless=True)
    _, info = decode_image(blob, PixelPolicy(max_pixels=6000), (8, 8))
    assert info.reject is not None
    assert info.reject.reason == "too-large"
    _, info = decode_image(blob[: len(blob) // 2], PixelPolicy(), (8, 8))
    assert info.reject is not None


@pytest.mark.parametrize("grey", [False, True])
def test_jpeg_ls(grey: bool) -> None:
    picture = painting(96, 64).convert("L" if grey else "RGB")
    found = pixels_of(imagecodecs.jpegls_encode(np.asarray(picture)), "JPEG-LS")
    assert np.array_equal(found, np.asarray(picture.convert("RGB")))


def photoshop(values: np.ndarray, *, large: bool, runs: bool, profile: bytes = b"") -> bytes:
    """A document of one flattened picture, H×W×C."""
    height, width, channels = values.shape
    bits = 8 * values.dtype.itemsize
    colours = {1: 1, 3: 3, 4: 4}[channels]
    kind = {8: ">u1", 16: ">u2", 32: ">f4"}[bits]
    rows = [row.astype(kind).tobytes() for row in values.transpose(2, 0, 1).reshape(-1, width)]
    resources = b""
    if profile:
        resources = b"8BIM" + struct.pack(">HHI", 1039, 0, len(profile)) + profile
    blob = struct.pack(
        ">4sH6xHIIHH", b"8BPS", 1 + large, channels, height, width, bits, colours
    ) + struct.pack(">II", 0, len(resources))
    blob += resources + struct.pack(">Q" if large else ">I", 0) + struct.pack(">H", runs)
    if runs:
        rows = [imagecodecs.packbits_encode(row) for row in rows]
        blob += b"".join(struct.pack(">I" if large else ">H", len(row)) for row in rows)
    return blob + b"".join(rows)


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("runs", [False, True])
@pytest.mark.parametrize("kind", ["u2", "f4", "u1"])
def test_photoshop(large: bool, runs: bool, kind: str) -> None:
    pixels = np.asarray(painting(96, 64))
    values = {"u1": pixels, "u2": pixels.astype("u2") * 257, "f4": pixels.astype("f4") / 255}[kind]
    assert np.array_equal(pixels_of(photoshop(values, large=large, runs=runs), "PSD"), pixels)


def test_photoshop_grey_cmyk_and_profiles() -> None:
    grey = np.asarray(painting(96, 64).convert("L"))
    found = pixels_of(photoshop(grey[..., None].astype("u2") * 257, large=False, runs=True), "PSD")
    assert np.array_equal(found, np.stack([grey] * 3, axis=2))
    inks = painting(96, 64).convert("CMYK")
    stored = (255 - np.asarray(inks)).astype("u2") * 257
    found = pixels_of(photoshop(stored, large=False, runs=True), "PSD")
    assert np.array_equal(found, np.asarray(inks.convert("RGB")))
    pixels = np.asarray(painting(96, 64))
    profile = swapped_primaries_profile()
    deep = photoshop(pixels.astype("u2") * 257, large=True, runs=False, profile=profile)
    plain = encode(painting(96, 64), "PNG", icc_profile=profile)
    assert np.array_equal(pixels_of(deep, "PSD"), pixels_of(plain, "PNG"))


def test_the_first_page_of_a_pdf() -> None:
    if importlib.util.find_spec("pypdfium2") is None:
        absent("pypdfium2")
    pages = [quarters(600, 400), Image.new("RGB", (600, 400))]
    blob = encode(pages[0], "PDF", save_all=True, append_images=pages[1:], resolution=200)
    found = pixels_of(blob, "PDF", (400, 600))
    assert np.abs(quadrant_means(found) - quadrant_means(np.asarray(pages[0]))).max() < 4


@pytest.mark.parametrize("inverted", [False, True])
def test_a_dicom(inverted: bool) -> None:
    pydicom = pytest.importorskip("pydicom")
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.Rows, data.Columns, data.SamplesPerPixel = 64, 96, 1
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    ramp = np.tile(np.linspace(0, 4095, 96), (64, 1)).astype("<u2")
    data.PixelData = ramp.tobytes()
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, data, enforce_file_format=True)
    found = pixels_of(stream.getvalue(), "DICOM")[..., 0].astype(int)
    expected = np.rint(ramp / 4095 * 255)
    assert np.abs(found - (255 - expected if inverted else expected)).max() <= 1
