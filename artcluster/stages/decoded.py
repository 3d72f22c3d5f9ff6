"""What decoding a batch of pictures gives the embedder: themselves, or parts of them."""

from collections.abc import Mapping, Set
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from artcluster.images.decoder import Decoder
from artcluster.images.info import ImageInfo


@dataclass(frozen=True)
class Decoded:
    """A decoded batch.

    Attributes:
        infos: One a picture, in the batch's order.
        content_ids: The content of each row of pixels.
        regions: Which part of it each row is; '' for all of it.
        pixels_NHWC: uint8.
        looked_at: Rows of the table `regions`; None where parts were not looked for.
    """

    infos: list[ImageInfo]
    content_ids: list[str]
    regions: list[str]
    pixels_NHWC: np.ndarray
    looked_at: pa.Table | None = None


@dataclass(frozen=True)
class WholePictures:
    """Decodes whole pictures."""

    decoder: Decoder

    def __call__(self, contents: Mapping[str, bytes], mine: Set[str]) -> Decoded:
        """Decode pictures by content, and return the pixels of those of `mine`."""
        unknown = list(contents)
        batch = self.decoder.decode(list(contents.values()))
        accepted = [unknown[place] for place in batch.accepted]
        rows = [row for row, content in enumerate(accepted) if content in mine]
        pixels = batch.pixels_NHWC if len(rows) == len(accepted) else batch.pixels_NHWC[rows]
        return Decoded(batch.infos, [accepted[row] for row in rows], [""] * len(rows), pixels)
