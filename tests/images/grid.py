"""Tiny pictures of every layout, by other people's encoders, and what each must look like.

What is expected is worked out here from the samples that were encoded, in floating point and by the
rules of docs/formats.md, sharing nothing with the code under test.
"""

import io
import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

SIZES = ((13, 17), (16, 16), (7, 33), (1, 5), (20, 1))
"""Height and width."""


@dataclass(frozen=True)
class Case:
    """A picture.

    Attributes:
        name: All that was varied.
        blob: The file.
        samples: H×W×samples as they were encoded.
        rgb: What is to be seen, on white.
        tolerance: Levels that a pixel may differ by.
    """

    name: str
    blob: bytes
    samples: np.ndarray
    rgb: np.ndarray
    tolerance: float


@dataclass(frozen=True)
class Colour:
    """A kind of colour: TIFF's name for it, samples of colour, and the extra samples."""

    photometric: str
    count: int
    extra: tuple[str, ...] = ()


COLOURS = (
    Colour("minisblack", 1),
    Colour("miniswhite", 1),
    Colour("minisblack", 1, ("unassalpha",)),
    Colour("minisblack", 1, ("assocalpha",)),
    Colour("minisblack", 1, ("unspecified",)),
    Colour("rgb", 3),
    Colour("rgb", 3, ("unassalpha",)),
    Colour("rgb", 3, ("assocalpha",)),
    Colour("rgb", 3, ("unspecified",)),
    Colour("rgb", 3, ("unspecified", "unassalpha")),
    Colour("separated", 4),
    Colour("separated", 4, ("unassalpha",)),
    Colour("cielab", 3),
    Colour("icclab", 3),
    Colour("ycbcr", 3),
)

DTYPES = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "f2", "f4", "f8")

COMPRESSIONS: tuple[tuple[str | None, bool], ...] = (
    (None, False),
    ("deflate", False),
    ("deflate", True),
    ("lzw", False),
    ("lzw", True),
    ("packbits", False),
    ("zstd", False),
    ("zstd", True),
    ("lzma", False),
)
"""Compression, and whether with a predictor."""

LAYOUTS: tuple[dict[str, object], ...] = (
    {},
    {"rowsperstrip": 3},
    {"tile": (16, 16)},
    {"tile": (32, 16)},
)


def tiff_cases() -> Iterator[Case]:
    """TIFF by tifffile: every colour in every type, byte order and arrangement of planes."""
    turn = 0
    for colour, dtype in itertools.product(COLOURS, DTYPES):
        if colour.photometric in ("cielab", "icclab", "ycbcr") and dtype not in ("u1", "u2"):
            continue
        for order, planar, (compression, predicts) in itertools.product(
            "<>", ("contig", "separate"), COMPRESSIONS
        ):
            turn += 1
            if turn % (2 if dtype in ("u1", "u2", "f4") else 4):
                continue
            number = np.dtype(dtype)
            if predicts and number.itemsize == 8:
                continue
            if "assocalpha" in colour.extra and dtype not in ("u1", "u2", "f2", "f4", "f8"):
                continue
            if planar == "separate" and colour.count + len(colour.extra) == 1:
                continue
            samples = make_samples(colour, number, SIZES[turn % len(SIZES)], turn)
            layout, big = LAYOUTS[turn % len(LAYOUTS)], turn % 3 == 0
            blob = tiff(
                samples, colour, order, planar, compression, predicts=predicts, big=big, **layout
            )
            name = (
                f"{colour.photometric}{'+'.join(['', *colour.extra])} {dtype} {order} {planar} "
                f"{compression} predictor={predicts} {layout} big={big} {samples.shape}"
            )
            rgb, tolerance = seen(samples, colour)
            yield Case(name, blob, samples, rgb, tolerance)


def coded_tiff_cases() -> Iterator[Case]:
    """TIFF whose strips and tiles are pictures of another format; lossless, but for JPEG."""
    grey, rgb = Colour("minisblack", 1), Colour("rgb", 3)
    rgba = Colour("rgb", 3, ("unassalpha",))
    codecs: tuple[tuple[str, tuple[Colour, ...], tuple[str, ...], dict[str, object]], ...] = (
        ("jpeg2000", (grey, rgb, rgba), ("u1", "u2"), {"level": 0}),
        ("jpegxl", (grey, rgb, rgba), ("u1", "u2", "f4"), {"lossless": True}),
        ("webp", (rgb, rgba), ("u1",), {"lossless": True}),
        ("lerc", (grey, rgb, rgba), ("u1", "u2", "u4", "f4", "f8"), {"level": 0}),
        ("png", (grey, rgb, rgba), ("u1", "u2"), {}),
        ("jpegxr", (grey, rgb), ("u1", "u2"), {"level": 1.0}),
        ("jpeg", (grey, rgb), ("u1",), {"level": 100}),
    )
    turn = 0
    for compression, colours, dtypes, options in codecs:
        for colour, dtype, order, layout in itertools.product(colours, dtypes, "<>", LAYOUTS[1:]):
            for planar in ("contig", "separate")[: 1 if colour is grey else 2]:
                if planar == "separate" and compression in ("webp", "jpeg"):
                    continue
                if order == ">" and dtype != "u1":
                    continue  # the encoders take native numbers alone
                turn += 1
                samples = make_samples(colour, np.dtype(dtype), (24, 40), turn)
                if compression == "jpeg":
                    ramp = np.linspace(0, 255, 24 * 40).reshape(24, 40, 1)
                    samples = np.broadcast_to(ramp, samples.shape).astype(np.uint8)
                layout = {"rowsperstrip": 16} if "rowsperstrip" in layout else layout
                blob = tiff(
                    samples,
                    colour,
                    order,
                    planar,
                    compression,
                    big=turn % 3 == 0,
                    compressionargs=options,
                    **layout,
                )
                name = f"{compression} {colour} {dtype} {order} {planar} {layout}"
                seen_rgb, tolerance = seen(samples, colour)
                yield Case(name, blob, samples, seen_rgb, tolerance + 3 * (compression == "jpeg"))


def packed_tiff_cases() -> Iterator[Case]:
    """TIFF of samples that fill no whole bytes, and palettes of any depth."""
    kinds = (Colour("minisblack", 1), Colour("miniswhite", 1), Colour("rgb", 3))
    kinds = (*kinds, Colour("palette", 1), Colour("separated", 4))
    turn = 0
    for colour, bits, order in itertools.product(kinds, (1, 2, 4, 6, 8, 10, 12, 14, 16, 24), "<>"):
        if colour.photometric == "palette" and bits > 16:
            continue
        for planar, compression, big in itertools.product((1, 2), (1, 8, 32773), (False, True)):
            if planar == 2 and colour.count == 1:
                continue
            turn += 1
            height, width = SIZES[turn % len(SIZES)]
            rng = np.random.default_rng(turn)
            number = np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32
            samples = rng.integers(0, 2**bits, (height, width, colour.count)).astype(number)
            palette = None
            if colour.photometric == "palette":
                palette = rng.integers(0, 65536, (3, 2**bits)).astype(np.uint16)
                rgb, tolerance = palette.T[samples[..., 0]] // 256, 0.0
            else:
                rgb, tolerance = seen(samples, colour, bits)
            blob = packed_tiff(
                samples, bits, colour.photometric, order, planar, compression, big, palette
            )
            name = f"{colour.photometric} {bits} bits {order} {planar} {compression} big={big}"
            yield Case(f"{name} {samples.shape}", blob, samples, rgb, tolerance)


_PHOTOMETRIC = {"miniswhite": 0, "minisblack": 1, "rgb": 2, "palette": 3, "separated": 5}


def packed_tiff(
    samples: np.ndarray,
    bits: int,
    photometric: str,
    order: str,
    planar: int,
    compression: int,
    big: bool,
    palette: np.ndarray | None = None,
) -> bytes:
    """Write a TIFF of one strip a plane, each row padded to bytes."""
    height, width, count = samples.shape
    planes = [samples] if planar == 1 else [samples[..., [place]] for place in range(count)]
    strips = [_compressed(_packed_rows(plane, bits, order), compression) for plane in planes]
    offset, word = ("Q", 16) if big else ("I", 13)
    tags: list[tuple[int, str, list[int]]] = [
        (256, "H", [width]),
        (257, "H", [height]),
        (258, "H", [bits] * count),
        (259, "H", [compression]),
        (262, "H", [_PHOTOMETRIC[photometric]]),
        (273, offset, []),
        (277, "H", [count]),
        (278, "H", [height]),
        (279, offset, [len(strip) for strip in strips]),
        (284, "H", [planar]),
    ]
    if palette is not None:
        tags.append((320, "H", palette.ravel().tolist()))
    start = 16 if big else 8
    places = list(itertools.accumulate([start, *(len(strip) for strip in strips)]))
    tags[5] = (273, offset, places[:-1])
    at = places[-1] + places[-1] % 2
    body = b"".join(strips).ljust(at - start, b"\0")
    mark = b"II" if order == "<" else b"MM"
    head = struct.pack(order + ("HHHQ" if big else "HI"), *((43, 8, 0, at) if big else (42, at)))
    entry, slot, each = ("Q", 8, 20) if big else ("I", 4, 12)
    after = at + (8 if big else 2) + each * len(tags) + slot
    entries, more = b"", b""
    for tag, kind, numbers in tags:
        data = struct.pack(f"{order}{len(numbers)}{kind}", *numbers)
        if len(data) > slot:
            field = struct.pack(order + entry, after + len(more))
            more += data + b"\0" * (len(data) % 2)
        else:
            field = data.ljust(slot, b"\0")
        code = {"H": 3, "I": 4, "Q": word}[kind]
        entries += struct.pack(f"{order}HH{entry}", tag, code, len(numbers)) + field
    count_of_tags = struct.pack(order + ("Q" if big else "H"), len(tags))
    return mark + head + body + count_of_tags + entries + bytes(slot) + more


def _packed_rows(samples: np.ndarray, bits: int, order: str) -> list[bytes]:
    if bits in (8, 16, 32):
        return [row.tobytes() for row in samples.astype(samples.dtype.newbyteorder(order))]
    if bits == 24:
        whole = samples.astype(f"{order}u4")[..., np.newaxis].view(np.uint8)
        return [row.tobytes() for row in (whole[..., :3] if order == "<" else whole[..., 1:])]
    flags = (samples[..., np.newaxis] >> np.arange(bits - 1, -1, -1)) & 1
    rows = flags.reshape(len(samples), -1).astype(np.uint8)
    return [row.tobytes() for row in np.packbits(rows, axis=1)]


def _compressed(rows: list[bytes], compression: int) -> bytes:
    if compression == 32773:
        return b"".join(imagecodecs.packbits_encode(row) for row in rows)
    return imagecodecs.zlib_encode(b"".join(rows)) if compression == 8 else b"".join(rows)


def jpeg_2000_cases() -> Iterator[Case]:
    """JPEG 2000 of every depth and number of channels, in boxes and bare."""
    turn = 0
    for bits, count, boxed, signed in itertools.product(
        (1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16),
        (1, 2, 3, 4),
        ("jp2", "j2k"),
        (False, True),
    ):
        if signed and bits not in (8, 12, 16):
            continue
        turn += 1
        rng = np.random.default_rng(turn)
        height, width = SIZES[turn % len(SIZES)]
        number = np.dtype(np.uint8 if bits <= 8 else np.uint16)
        samples = rng.integers(0, 2**bits, (height, width, count)).astype(number)
        samples[0] = 2**bits - 1
        stored = samples
        if signed:
            stored = (samples.astype(np.int32) - 2 ** (bits - 1)).astype(f"i{number.itemsize}")
        blob = imagecodecs.jpeg2k_encode(
            stored[..., 0] if count == 1 else stored,
            level=0,
            codecformat=boxed,
            reversible=True,
            bitspersample=bits,
            mct=count == 3 and turn % 2 == 0,
        )
        colour = Colour("minisblack" if count < 3 else "rgb", count - 1 + count % 2)
        if count % 2 == 0:
            colour = Colour(colour.photometric, colour.count, ("unassalpha",))
        rgb, tolerance = seen(samples, colour, bits)
        if bits > 8:
            tolerance = max(tolerance, 1.01)  # Pillow rounds here, where it cuts off in TIFF
        name = f"{bits} bits × {count} {boxed} signed={signed} {samples.shape}"
        yield Case(name, blob, samples, rgb, tolerance)


def pillow_tiff_cases() -> Iterator[Case]:
    """TIFF by Pillow and libtiff, of every mode and compression that they write."""
    compressions = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "lzma", "zstd")
    modes = ("1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F")
    turn = 0
    for mode, compression, big in itertools.product(
        modes, (*compressions, "group3", "group4", "tiff_ccitt"), (False, True)
    ):
        if compression not in compressions and mode != "1":
            continue
        if mode == "YCbCr" and compression != "raw":
            continue
        turn += 1
        height, width = SIZES[turn % len(SIZES)]
        rng = np.random.default_rng(turn)
        samples = rng.integers(0, 256, (height, width, 4)).astype(np.uint8)
        if mode in ("I;16", "I", "F"):
            number = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
            samples = (rng.random((height, width, 1)) * 60000).astype(number)
            image = Image.fromarray(samples[..., 0])
        else:
            image = Image.fromarray(samples).convert("RGB" if mode == "YCbCr" else mode)
            image = image.convert(mode)
            samples = np.asarray(image).astype(np.uint8).reshape(height, width, -1)
        colour = {
            "LA": Colour("minisblack", 1, ("unassalpha",)),
            "RGB": Colour("rgb", 3),
            "RGBA": Colour("rgb", 3, ("unassalpha",)),
            "CMYK": Colour("separated", 4),
            "YCbCr": Colour("ycbcr", 3),
        }.get(mode, Colour("minisblack", 1))
        stream = io.BytesIO()
        image.save(stream, "TIFF", compression=compression, big_tiff=big)
        if mode == "P":
            rgb, tolerance = np.asarray(image.convert("RGB")).astype(float), 0.0
        else:
            rgb, tolerance = seen(samples, colour, 1 if mode == "1" else None)
        name = f"{mode} {compression} big={big} {samples.shape}"
        yield Case(name, stream.getvalue(), samples, rgb, tolerance)


def make_samples(
    colour: Colour, dtype: np.dtype[Any], size: tuple[int, int], seed: int
) -> np.ndarray:
    """Samples from black to white, in the range that their type is read by."""
    rng = np.random.default_rng(seed)
    unit = rng.random((*size, colour.count + len(colour.extra)))
    unit.reshape(-1, unit.shape[-1])[0] = 1.0
    if unit.size > unit.shape[-1]:
        unit.reshape(-1, unit.shape[-1])[-1] = 0.0
    if colour.photometric in ("cielab", "icclab"):
        unit[..., 0] = 0.4 + 0.4 * unit[..., 0]
        unit[..., 1:3] = 0.5 + (unit[..., 1:3] - 0.5) * 0.1
    if "assocalpha" in colour.extra:
        unit[..., : colour.count] *= unit[..., colour.count :]
    if dtype.kind == "f":
        return unit.astype(dtype)
    top = float(np.iinfo(dtype).max)
    if dtype.kind == "i":
        top *= (1, -1)[seed % 2]
    elif dtype.itemsize > 2:
        top = (65535.0, 200.0, 2.0**32 - 1)[seed % 3]
    samples = np.rint(unit * top).astype(dtype)
    for place, kind in enumerate(colour.extra, colour.count):
        if kind != "unspecified":
            levels = np.rint(unit[..., place] * 127).astype(dtype)
            samples[..., place] = levels * dtype.type(np.iinfo(dtype).max // 127)
    if colour.photometric == "cielab":
        samples[..., 1:3] ^= dtype.type(1 << (8 * dtype.itemsize - 1))
    return samples


def tiff(
    samples: np.ndarray,
    colour: Colour,
    order: str,
    planar: str,
    compression: str | None,
    *,
    predicts: bool = False,
    big: bool = False,
    **layout: Any,
) -> bytes:
    """Write a TIFF with tifffile."""
    stream = io.BytesIO()
    values = samples if planar == "contig" else np.moveaxis(samples, -1, 0)
    single = samples.shape[-1] == 1
    tifffile.imwrite(
        stream,
        np.ascontiguousarray(samples[..., 0] if single else values),
        bigtiff=big,
        byteorder=order,
        photometric=colour.photometric,
        planarconfig=None if single else planar,
        extrasamples=colour.extra or None,
        compression=compression,
        predictor=predicts or None,
        metadata=None,
        **layout,
    )
    return stream.getvalue()


def seen(samples: np.ndarray, colour: Colour, bits: int | None = None) -> tuple[np.ndarray, float]:
    """Return the picture on white as 0…255 in floating point, and how exact that is.

    Args:
        samples: H×W×samples.
        colour: What they are.
        bits: Of a sample, where it is fewer than its type has.
    """
    bits = bits or 8 * samples.dtype.itemsize
    colours = samples[..., : colour.count]
    tolerance = 0.51
    if colour.photometric in ("cielab", "icclab"):
        rgb, tolerance = _lab_to_srgb(colours, colour.photometric, bits), 6.0
    else:
        levels = _levels(colours, bits, grey=colour.count == 1)
        if colour.photometric == "miniswhite":
            levels = 255 - levels
        if colour.photometric == "separated":
            levels, tolerance = (255 - levels[..., :3]) * (255 - levels[..., 3:]) / 255, 1.5
        if colour.photometric == "ycbcr":
            levels, tolerance = _ycc_to_rgb(levels), 1.5
        rgb = np.broadcast_to(levels, (*levels.shape[:2], 3))
    alphas = [place for place, kind in enumerate(colour.extra, colour.count) if "alpha" in kind]
    if not alphas:
        return rgb, tolerance
    most = 1.0
    if samples.dtype.kind == "u":
        most = 2.0**bits - 1
    elif samples.dtype.kind == "i":
        most = 2.0 ** (bits - 1) - 1
    opacity = np.clip(samples[..., alphas[0] : alphas[0] + 1] / most, 0, 1)
    if "assocalpha" in colour.extra:
        return np.clip(rgb + 255 * (1 - opacity), 0, 255), tolerance + 2.5
    return rgb * opacity + 255 * (1 - opacity), tolerance + 1.5


def _levels(values: np.ndarray, bits: int, *, grey: bool) -> np.ndarray:
    if values.dtype.kind == "u" and bits < 32:
        if bits <= 8 or grey:
            return values * (255.0 / (2**bits - 1))
        return np.floor(values / 2.0 ** (bits - 8))
    numbers = values.astype(np.float64)
    low, high = numbers.min(), numbers.max()
    ceilings = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (255.0, 65535.0)
    fitting = [ceiling for ceiling in ceilings if low >= 0 and high <= ceiling]
    if fitting:
        return numbers * (255 / fitting[0])
    return (numbers - low) * (255 / ((high - low) or 1))


def _ycc_to_rgb(ycc: np.ndarray) -> np.ndarray:
    luma, blue, red = ycc[..., 0], ycc[..., 1] - 128, ycc[..., 2] - 128
    rgb = (luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue)
    return np.clip(np.stack(rgb, axis=-1), 0, 255)


def _lab_to_srgb(values: np.ndarray, photometric: str, bits: int) -> np.ndarray:
    """CIELAB under D50, through XYZ, Bradford's D65 and sRGB's curve."""
    numbers = values.astype(np.float64)
    sign = 1 << (bits - 1)
    lightness = numbers[..., 0] * 100 / (2**bits - 1)
    if photometric == "icclab":
        chroma = (numbers[..., 1:] - sign) / 2 ** (bits - 8)
    else:
        chroma = ((numbers[..., 1:] + sign) % (2 * sign) - sign) / 2 ** (bits - 8)
    fy = (lightness + 16) / 116
    f = np.stack([fy + chroma[..., 0] / 500, fy, fy - chroma[..., 1] / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * [0.9642, 1.0, 0.8249]
    to_linear = np.array(
        [
            [3.1338561, -1.6168667, -0.4906146],
            [-0.9787684, 1.9161415, 0.0334540],
            [0.0719453, -0.2289914, 1.4052427],
        ]
    )
    linear = np.clip(xyz @ to_linear.T, 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return 255 * curved
