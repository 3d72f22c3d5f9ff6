"""A few seconds' measurement of this machine on pictures of the archive that is to be embedded."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from artcluster.archive.comparison import Comparison
from artcluster.archive.fetch import Fetcher
from artcluster.archive.parts import PartRow
from artcluster.embedders import Embedder
from artcluster.images.decoder import Decoder
from artcluster.images.info import ImageInfo
from artcluster.stages.decoded import WholePictures
from artcluster.stages.find_faces import FaceLooker

_BATCH = 8


@dataclass(frozen=True)
class Sample:
    """Pictures of the archive, by their headers.

    Attributes:
        pictures: Files read.
        size_bytes: Of them all.
        formats: Pictures by format.
        rejects: Unusable files by reason, as far as headers tell.
        megapixels: The middle, the 95th percentile and the largest.
        fetch_s: Seconds that reading took.
    """

    pictures: int
    size_bytes: int
    formats: Mapping[str, int]
    rejects: Mapping[str, int]
    megapixels: tuple[float, float, float]
    fetch_s: float


def spread(comparison: Comparison, count: int) -> list[PartRow]:
    """Return files to do, spread evenly over the whole listing."""
    todo = comparison.summary.todo
    places = np.unique(np.linspace(0, todo - 1, min(count, todo)).astype(np.int64))
    found: list[PartRow] = []
    passed = 0
    for table in comparison.todo():
        here = places[(places >= passed) & (places < passed + table.num_rows)] - passed
        found += [PartRow(**row) for row in table.take(pa.array(here)).to_pylist()]
        passed += table.num_rows
    return found


def look(rows: Sequence[PartRow], fetcher: Fetcher, decoder: Decoder) -> tuple[Sample, list[bytes]]:
    """Read files and their headers; return the usable ones' bytes, too."""
    began = time.perf_counter()
    blobs = [file.data for _, file in fetcher.fetch_many(rows) if file.outcome == "ok"]
    fetch_s = time.perf_counter() - began
    infos = decoder.probe(blobs)
    usable = [blob for blob, info in zip(blobs, infos, strict=True) if info.reject is None]
    return Sample(
        pictures=len(blobs),
        size_bytes=sum(len(blob) for blob in blobs),
        formats=dict(Counter(info.format or "unknown" for info in infos if info.reject is None)),
        rejects=dict(Counter(info.reject.reason for info in infos if info.reject is not None)),
        megapixels=_megapixels(infos),
        fetch_s=fetch_s,
    ), usable


@dataclass(frozen=True)
class Decoding:
    """What decoding took.

    Attributes:
        seconds: Of one CPU, an image.
        pixels_NHWC: What the network is to see: the pictures, or the faces in them.
        images: Images decoded.
    """

    seconds: float
    pixels_NHWC: np.ndarray
    images: int


def decode(blobs: Sequence[bytes], take: WholePictures | FaceLooker, budget_s: float) -> Decoding:
    """Decode images one after the other, as a job would, for so long."""
    _take(take, blobs[:1])  # Its process is started, and its libraries loaded.
    began = time.perf_counter()
    done, pixels = 0, []
    for batch in _batches(blobs):
        pixels.append(_take(take, batch))
        done += len(batch)
        if time.perf_counter() - began > budget_s:
            break
    return Decoding((time.perf_counter() - began) / done, np.concatenate(pixels), done)


def embed_seconds(pixels_NHWC: np.ndarray, embedder: Embedder, budget_s: float) -> float:
    """Return seconds that an embedder takes for one of these, once it is warm."""
    embedder(pixels_NHWC)
    began = time.perf_counter()
    done = 0
    while done == 0 or time.perf_counter() - began < budget_s:
        embedder(pixels_NHWC)
        done += len(pixels_NHWC)
    return (time.perf_counter() - began) / done


def _megapixels(infos: Sequence[ImageInfo]) -> tuple[float, float, float]:
    found = [info.width * info.height / 1e6 for info in infos if info.width and info.height]
    if not found:
        return 0.0, 0.0, 0.0
    middle, high, largest = np.percentile(found, [50, 95, 100])
    return float(middle), float(high), float(largest)


def _take(take: WholePictures | FaceLooker, blobs: Sequence[bytes]) -> np.ndarray:
    named = {str(number): blob for number, blob in enumerate(blobs)}
    return take(named, named.keys()).pixels_NHWC


def _batches(blobs: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(blobs), _BATCH):
        yield blobs[start : start + _BATCH]
