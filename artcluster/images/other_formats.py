"""Formats read by other libraries: JPEG XL and JPEG-LS; PDF and DICOM where theirs are installed.

Each gives its size by the header alone, so that the limit of pixels holds before any is decoded.
"""

import importlib
import importlib.util
import io
import re

import numpy as np
from PIL import Image

from artcluster.images.colour import scale_to_uint8
from artcluster.images.levelled import LevelledPicture

_PDF_DPI = 200

_POINTS_PER_INCH = 72

_JPEG_XL_BOXES = b"\0\0\0\x0cJXL \r\n\x87\n"

_JPEG_XL = b"\xff\x0a"

_JPEG_LS = (b"\xff\xd8\xff\xf7", b"\xff\xd8\xff\xe8")

_JPEG_LS_FRAME = re.compile(rb"\xff\xf7\x00[\x0b\x0e\x11](.)(..)(..)[\x01\x03]", re.DOTALL)


def open_other(blob: bytes) -> Image.Image | None:
    """Open a picture of one of these formats by its header; None for others.

    Raises:
        Exception: Whatever its library raises over bytes that it cannot open.
    """
    if blob.startswith((_JPEG_XL, _JPEG_XL_BOXES)):
        return _open_jpeg_xl(blob)
    frame = _JPEG_LS_FRAME.search(blob, 0, 256) if blob.startswith(_JPEG_LS) else None
    if frame is not None:
        return _open_jpeg_ls(blob, frame)
    if re.match(rb"\s{0,64}%PDF", blob[:80]) and importlib.util.find_spec("pypdfium2"):
        return _open_pdf(blob)
    if blob[128:132] == b"DICM" and importlib.util.find_spec("pydicom"):
        return _open_dicom(blob)
    return None


class _Bits:
    """Reads numbers from bytes, the lowest bit first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        found = self._value & ((1 << count) - 1)
        self._value >>= count
        return found


_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))

_TURNED = (5, 6, 7, 8)


def jpeg_xl_size(blob: bytes) -> tuple[int, int]:
    """Return width and height of a JPEG XL, upright.

    Source: ISO/IEC 18181-1, SizeHeader and the start of ImageMetadata.

    Raises:
        ValueError: There is no codestream in it.
    """
    at = blob.find(_JPEG_XL) if blob.startswith(_JPEG_XL_BOXES) else 0
    if at < 0 or len(blob) < at + 12:
        raise ValueError("truncated: a JPEG XL without a header")
    bits = _Bits(blob[at + 2 : at + 34])
    small = bits.take(1)

    def side() -> int:
        if small:
            return 8 * (1 + bits.take(5))
        return 1 + bits.take((9, 13, 18, 30)[bits.take(2)])

    height = side()
    ratio = bits.take(3)
    width = side() if ratio == 0 else height * _RATIOS[ratio - 1][0] // _RATIOS[ratio - 1][1]
    all_default = bits.take(1)
    orientation = 1 + bits.take(3) if not all_default and bits.take(1) else 1
    return (height, width) if orientation in _TURNED else (width, height)


def _open_jpeg_xl(blob: bytes) -> Image.Image:
    def read(_: int) -> Image.Image:
        import imagecodecs

        return _picture(imagecodecs.jpegxl_decode(blob))

    return LevelledPicture("JXL", [jpeg_xl_size(blob)], read)


def _open_jpeg_ls(blob: bytes, frame: re.Match[bytes]) -> Image.Image:
    bits, height, width = frame[1][0], *(int.from_bytes(frame[each], "big") for each in (2, 3))

    def read(_: int) -> Image.Image:
        import imagecodecs

        return _picture(imagecodecs.jpegls_decode(blob), bits)

    return LevelledPicture("JPEG-LS", [(width, height)], read)


def _open_pdf(blob: bytes) -> Image.Image:
    """Open the first page of a PDF, as it looks at 200 dots per inch."""
    import pypdfium2

    document = pypdfium2.PdfDocument(blob)
    page = document[0]
    scale = _PDF_DPI / _POINTS_PER_INCH
    size = tuple(max(1, int(np.ceil(side * scale))) for side in page.get_size())

    def read(_: int) -> Image.Image:
        rendered: Image.Image = page.render(scale=scale).to_pil()
        return rendered.convert("RGB")

    return LevelledPicture("PDF", [(size[0], size[1])], read)


def _open_dicom(blob: bytes) -> Image.Image:
    """Open the first frame of a DICOM, through its window, or its own range where it has none."""
    import pydicom

    reader = importlib.import_module("pydicom.pixels")
    dataset = pydicom.dcmread(io.BytesIO(blob), force=False)
    if "Rows" not in dataset or "Columns" not in dataset:
        raise NotImplementedError("a DICOM without a picture is not supported")

    def read(_: int) -> Image.Image:
        values = reader.pixel_array(dataset, index=0)
        if values.ndim == 3:
            return _picture(values, dataset.BitsStored)
        shown = reader.apply_voi_lut(reader.apply_modality_lut(values, dataset), dataset, index=0)
        grey = scale_to_uint8(np.asarray(shown, np.float32), ())
        if dataset.PhotometricInterpretation == "MONOCHROME1":
            grey = 255 - grey
        return Image.fromarray(grey)

    return LevelledPicture("DICOM", [(int(dataset.Columns), int(dataset.Rows))], read)


def _picture(values: np.ndarray, bits: int | None = None) -> Image.Image:
    """Return an array H×W or H×W×C of integers as a picture of 8 bits per channel.

    Raises:
        NotImplementedError: It holds floating-point numbers, or more channels than colour has.
    """
    if values.dtype.kind != "u" or values.ndim not in (2, 3):
        raise NotImplementedError(f"pixels of {values.dtype} are not supported")
    bits = bits or 8 * values.dtype.itemsize
    if bits != 8:
        values = np.rint(values.astype(np.float32) * np.float32(255 / (2**bits - 1)))
        values = np.clip(values, 0, 255).astype(np.uint8)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.ndim == 3 and values.shape[2] not in (2, 3, 4):
        raise NotImplementedError(f"{values.shape[2]} channels are not supported")
    if values.ndim == 2:
        return Image.fromarray(values)
    mode = {2: "LA", 3: "RGB", 4: "RGBA"}[values.shape[2]]
    height, width = values.shape[:2]
    return Image.frombytes(mode, (width, height), np.ascontiguousarray(values).tobytes())
