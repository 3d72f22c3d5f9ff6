"""Pictures made by hand: smooth and sharp content, every mode, as encoded bytes."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

DEMO_ARCHIVE = Path(__file__).parents[2] / "examples" / "demo-archive"
QUADRANTS = ((200, 30, 40), (30, 180, 60), (40, 60, 190), (230, 220, 50))
"""Colours of the upper left, upper right, lower left and lower right quarter."""


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def quarters(width: int = 96, height: int = 64) -> Image.Image:
    """Four flat quarters, each of its own colour."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for number, colour in enumerate(QUADRANTS):
        row, column = divmod(number, 2)
        rows = slice(row * height // 2, (row + 1) * height // 2)
        columns = slice(column * width // 2, (column + 1) * width // 2)
        pixels[rows, columns] = colour
    return Image.fromarray(pixels)


def painting(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture with soft gradients, grain and hard edges."""
    rng = np.random.default_rng(seed)
    soft = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    hard = Image.fromarray(rng.integers(0, 2, (40, 40), dtype=np.uint8) * 255).resize(
        (width, height), Image.Resampling.NEAREST
    )
    grain = rng.normal(0, 6, (height, width, 3))
    mixed = 0.7 * np.asarray(soft) + 0.3 * np.asarray(hard)[..., np.newaxis] + grain
    return Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8))


def demo_picture(name: str) -> Image.Image:
    return Image.open(DEMO_ARCHIVE / "images" / name).convert("RGB")


def with_declared_size(png: bytes, width: int, height: int) -> bytes:
    """A PNG whose header lies about its size."""
    header = png[12:16] + struct.pack(">II", width, height) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = orientation
    return exif


def quadrant_means(pixels_HWC: np.ndarray) -> np.ndarray:
    """Mean colour of each quarter, away from its borders: upper row first, 4×3."""
    height, width, _ = pixels_HWC.shape
    means = []
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        middle_y, middle_x = (2 * row + 1) * height // 4, (2 * column + 1) * width // 4
        part = pixels_HWC[
            middle_y - height // 8 : middle_y + height // 8,
            middle_x - width // 8 : middle_x + width // 8,
        ]
        means.append(part.mean(axis=(0, 1)))
    return np.array(means)


def psnr_db(pixels: np.ndarray, reference: np.ndarray) -> float:
    error = ((pixels.astype(float) - reference.astype(float)) ** 2).mean()
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def swapped_primaries_profile() -> bytes:
    """An ICC v2 matrix profile whose red is sRGB's green and whose green is sRGB's red."""
    red, green, blue = (
        (0.4360747, 0.2225045, 0.0139322),
        (0.3850649, 0.7168786, 0.0971045),
        (0.1430804, 0.0606169, 0.7141733),
    )
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, int(2.2 * 256)) + b"\0\0"
    return _profile(
        b"RGB ",
        b"XYZ ",
        {
            b"rXYZ": _xyz(green),
            b"gXYZ": _xyz(red),
            b"bXYZ": _xyz(blue),
            **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
        },
    )


def grey_profile(gamma: float) -> bytes:
    """An ICC v2 grey profile of a given gamma."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": curve})


def cmyk_profile_of_one_colour(lab: tuple[int, int, int]) -> bytes:
    """An ICC v2 CMYK profile that shows any ink as the given 8-bit Lab colour, and key as black."""
    head = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0])
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    ramps = bytes(range(256))
    table = head + matrix + ramps * 4 + bytes((*lab, 0, 128, 128)) * 2**3 + ramps * 3
    return _profile(b"CMYK", b"Lab ", dict.fromkeys((b"A2B0", b"A2B1", b"A2B2"), table), b"prtr")


def _xyz(value: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(part * 65536) for part in value))


def _profile(
    space: bytes, connection: bytes, tags: dict[bytes, bytes], device: bytes = b"mntr"
) -> bytes:
    tags = {**tags, b"wtpt": _xyz((0.9642, 1.0, 0.8249))}
    tags[b"desc"] = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags[b"cprt"] = b"text\0\0\0\0none\0"
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, body in tags.items():
        body += b"\0" * (-len(body) % 4)
        table += name + struct.pack(">II", start + len(data), len(body))
        data += body
    header = struct.pack(
        ">I4sI4s4s4s", start + len(data), b"lcms", 0x02400000, device, space, connection
    )
    header += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header += struct.pack(">3i", round(0.9642 * 65536), 65536, round(0.8249 * 65536))
    return header.ljust(128, b"\0") + table + data
