"""Decoding pictures for an embedder: whole ones, or the faces found in them."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from artcluster.config import ImageSettings
from artcluster.embedders import FaceRecipe, finds_faces
from artcluster.embedders.faces import CHIP_PX
from artcluster.images.faces import Face, inside_picture
from artcluster.images.policy import PixelPolicy
from artcluster.images.rejects import ImageInfo
from artcluster.images.sandbox.decoder import Decoder
from artcluster.images.thumbnail import decode_thumbnail, inside
from artcluster.schema import REGIONS
from artcluster.store.members import Box
from artcluster.workflows.embedding.embedder import ReadyEmbedder, State

if TYPE_CHECKING:  # torch takes seconds to import
    from artcluster.embedders.faces import FaceCutter
    from artcluster.images.sandbox.zygote import DecodeOne


_FACE = "face"


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


def decoder_for(
    embedder: ReadyEmbedder, settings: ImageSettings, state: State
) -> "WholePictures | FaceLooker":
    """Start what decodes batches for an embedder: whole pictures, or the faces in them.

    Args:
        embedder: The embedder.
        settings: Limits of decoding.
        state: Its weights, or what reads them.
    """
    if not finds_faces(embedder.embedder_id):
        size_px = embedder.contract.input_px
        return WholePictures(open_decoder(embedder.policy, size_px, settings))
    # Only here: it needs the packages of the extra `faces`.
    from artcluster.embedders.faces import FaceCutter, bytes_of

    recipe = FaceRecipe.of_text(embedder.contract.fit)
    weights = state() if callable(state) else state
    box = (recipe.picture_px, recipe.picture_px)
    decoder = open_decoder(embedder.policy, box, settings, decode_thumbnail)
    return FaceLooker(decoder, FaceCutter(recipe, bytes_of(weights["landmarks"])))


def open_decoder(
    policy: PixelPolicy,
    size_px: tuple[int, int],
    settings: ImageSettings,
    decode_one: "DecodeOne | None" = None,
) -> Decoder:
    """Start a decoder: a child process, ended by `close` or by leaving its context."""
    return Decoder(
        policy,
        size_px,
        timeout_s=settings.timeout_s,
        memory_bytes=settings.memory_bytes,
        decode_one=decode_one,
    )


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


class FaceLooker:
    """Decodes pictures one at a time and cuts their faces out.

    Args:
        decoder: Makes small copies of pictures in their own shape.
        cut: Finds the faces of a small copy and turns them upright.
    """

    def __init__(self, decoder: Decoder, cut: "FaceCutter") -> None:
        self.decoder = decoder
        self._cut = cut

    def __call__(self, contents: Mapping[str, bytes], mine: Set[str]) -> Decoded:
        """Decode pictures, and look for faces in those of `mine`."""
        infos: list[ImageInfo] = []
        members: list[tuple[str, str]] = []
        chips = [np.empty((0, CHIP_PX, CHIP_PX, 3), np.uint8)]
        rows: list[dict[str, object]] = []
        for content_id, blob in contents.items():
            batch = self.decoder.decode([blob])
            (info,) = batch.infos
            infos.append(info)
            if info.reject is not None or content_id not in mine:
                continue
            assert info.height is not None
            assert info.width is not None
            height, width = inside((info.height, info.width), self.decoder.size_px)
            faces, cut_out = self._cut(batch.pixels_NHWC[0][:height, :width])
            scale = (info.width / width, info.height / height)
            found = _by_box([face.scaled(*scale) for face in faces], info.height, info.width)
            chips.append(cut_out[[place for place, _ in found.values()]])
            members += [(content_id, box.region) for box in found]
            rows.append(_row(content_id, "picture", Box(0, 0, info.width, info.height), None))
            rows += [_row(content_id, _FACE, box, score) for box, (_, score) in found.items()]
        return Decoded(
            infos=infos,
            content_ids=[content_id for content_id, _ in members],
            regions=[region for _, region in members],
            pixels_NHWC=np.concatenate(chips),
            looked_at=pa.Table.from_pylist(rows, REGIONS.file_schema),
        )


def keep_boxes(decoded: Decoded, boxes: Mapping[str, Set[str]]) -> Decoded:
    """Take the faces of some pictures from what is embedded, whatever was found in them now.

    Another processor may find a face a pixel further on: then its score is not known.

    Args:
        decoded: Pictures that were looked at.
        boxes: Regions that have vectors, by content_id.

    Returns:
        The same without these pictures' pixels, and with these regions.
    """
    looked_at = decoded.looked_at
    if looked_at is None or boxes.keys().isdisjoint(looked_at["content_id"].to_pylist()):
        return decoded
    rows = []
    for row in looked_at.to_pylist():
        regions = boxes.get(row["content_id"])
        if regions is None or row["region"] == "" or row["region"] in regions:
            rows.append(row)
    found = {(row["content_id"], row["region"]) for row in rows}
    for content_id in {row["content_id"] for row in rows} & boxes.keys():
        rows += [
            _row(content_id, _FACE, box, None)
            for box in map(Box.of, sorted(boxes[content_id]))
            if box is not None and (content_id, box.region) not in found
        ]
    kept = [place for place, each in enumerate(decoded.content_ids) if each not in boxes]
    return Decoded(
        infos=decoded.infos,
        content_ids=[decoded.content_ids[place] for place in kept],
        regions=[decoded.regions[place] for place in kept],
        pixels_NHWC=decoded.pixels_NHWC[kept],
        looked_at=pa.Table.from_pylist(rows, REGIONS.file_schema),
    )


def _by_box(faces: list[Face], height: int, width: int) -> dict[Box, tuple[int, float]]:
    """Return place and score of each face by its box in the picture; equal boxes are one face."""
    found: dict[Box, tuple[int, float]] = {}
    for place, face in enumerate(faces):
        cut = inside_picture(face, height, width)
        box = Box(int(cut.left), int(cut.top), int(cut.width), int(cut.height))
        found.setdefault(box, (place, face.score))
    return found


def _row(content_id: str, kind: str, box: Box, score: float | None) -> dict[str, object]:
    """Return a row of `regions`: a face, or the picture that was looked at."""
    return {
        "content_id": content_id,
        "region": box.region if kind == _FACE else "",
        "kind": kind,
        "x": box.x,
        "y": box.y,
        "width": box.width,
        "height": box.height,
        "score": score,
    }
