"""Sound files of every format, flipped, cut and spliced at random: a reject each, or a picture.

ARTCLUSTER_MUTATIONS=3000 tries more than the suite does (`make test-all`).
"""

import logging
import os
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from artcluster.archive.parts import Part, PartRow
from artcluster.archive.readers import FetchedFile
from artcluster.images.policy import PixelPolicy
from artcluster.images.sandbox.decoder import Decoder
from artcluster.workflows.embedding.decode_task import image_row, images_table
from tests.images.handmade import encode, exif_of, painting, swapped_primaries_profile

COUNT = int(os.environ.get("ARTCLUSTER_MUTATIONS", "300"))
ODD = Path(__file__).parents[1] / "data" / "odd"
TIMEOUT_S, MEMORY_BYTES = 20.0, 4 << 30


def seeds() -> dict[str, bytes]:
    """Small pictures of each format and of the variants that other code reads."""
    picture = painting(120, 90)
    icc = swapped_primaries_profile()
    variants: dict[str, tuple[str, str, dict[str, object]]] = {
        "jpeg": ("RGB", "JPEG", {"exif": exif_of(6), "icc_profile": icc}),
        "jpeg, progressive": ("RGB", "JPEG", {"progressive": True}),
        "jpeg, cmyk": ("CMYK", "JPEG", {}),
        "jpeg, grey": ("L", "JPEG", {}),
        "png": ("RGB", "PNG", {"exif": exif_of(3), "icc_profile": icc}),
        "png, palette": ("P", "PNG", {}),
        "png, alpha": ("RGBA", "PNG", {}),
        "tiff": ("RGB", "TIFF", {}),
        "tiff, lzw": ("RGB", "TIFF", {"compression": "tiff_lzw"}),
        "tiff, jpeg": ("RGB", "TIFF", {"compression": "jpeg"}),
        "tiff, cmyk": ("CMYK", "TIFF", {"compression": "tiff_deflate"}),
        "tiff, float": ("F", "TIFF", {}),
        "webp": ("RGB", "WEBP", {}),
        "webp, lossless": ("RGBA", "WEBP", {"lossless": True}),
        "gif": ("P", "GIF", {}),
        "bmp": ("RGB", "BMP", {}),
        "jpeg 2000": ("RGB", "JPEG2000", {}),
        "avif": ("RGB", "AVIF", {}),
        "tga": ("RGB", "TGA", {"compression": "tga_rle"}),
        "pcx": ("RGB", "PCX", {}),
        "netpbm": ("RGB", "PPM", {}),
        "sgi": ("RGB", "SGI", {}),
        "ico": ("RGBA", "ICO", {}),
        "dds": ("RGBA", "DDS", {}),
        "qoi": ("RGB", "QOI", {}),
    }
    found = {
        name: encode(picture.convert(mode), kind, **options)
        for name, (mode, kind, options) in variants.items()
    }
    found["jpeg xl"] = imagecodecs.jpegxl_encode(np.asarray(picture))
    found["jpeg-ls"] = imagecodecs.jpegls_encode(np.asarray(picture))
    found["pdf"] = encode(picture, "PDF")
    return found | {file.name: file.read_bytes() for file in sorted(ODD.iterdir())}


def mutated(blob: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """Flip bits, mostly of the header; overwrite or take out a stretch; cut; or splice two."""
    data = bytearray(blob)
    kind = rng.integers(6)
    if kind <= 1:
        reach = min(len(data), 200) if kind == 0 else len(data)
        for _ in range(int(rng.integers(1, 9))):
            data[int(rng.integers(reach))] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        at, length = int(rng.integers(len(data))), int(rng.integers(1, 65))
        data[at : at + length] = rng.integers(0, 256, length, np.uint8).tobytes()
    elif kind == 3:
        at = int(rng.integers(len(data)))
        del data[at : at + int(rng.integers(1, 200))]
    elif kind == 4:
        del data[int(rng.integers(len(data))) :]
    else:
        at, to = int(rng.integers(len(data))), int(rng.integers(len(other)))
        data[at:] = other[to:]
    return bytes(data)


@pytest.mark.timeout(60 + COUNT)
def test_no_mutation_stops_a_decoder_or_breaks_a_table() -> None:
    rng = np.random.default_rng(20)
    sound = seeds()
    names = list(sound)
    outcomes: Counter[str] = Counter()
    slowest_s = 0.0
    row = PartRow("a", "/a", 1, "1", None)
    part = Part("p", "archive", 1, (row,))
    file = FetchedFile("ok", b"x", "0" * 64, 1, "1")
    with Decoder(
        PixelPolicy(), (64, 64), timeout_s=TIMEOUT_S, memory_bytes=MEMORY_BYTES
    ) as decoder:
        for number in range(COUNT):
            name = names[number % len(names)]
            blob = mutated(sound[name], sound[names[int(rng.integers(len(names)))]], rng)
            began = time.monotonic()
            (info,) = decoder.decode([blob]).infos
            slowest_s = max(slowest_s, time.monotonic() - began)
            reason = "damaged" if info.damage else "sound"
            outcomes[info.reject.reason if info.reject is not None else reason] += 1
            images_table([image_row(part, row, file, info, "v1", datetime.now(UTC))])
            for stopped in ("timeout", "decoder-crash", "out-of-memory"):
                assert info.reject is None or info.reject.reason != stopped, (name, number, info)
    assert sum(outcomes.values()) == COUNT
    assert outcomes["sound"] + outcomes["damaged"] > COUNT // 10
    logging.getLogger(__name__).info("%s, slowest %.2f s", dict(outcomes), slowest_s)
