"""Decoding pictures of a study into crops of one size: whole, in slices, or their faces."""

import io
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from artcluster.archive.fetch import Fetcher, FetchSettings
from artcluster.config import ImageSettings
from artcluster.images.faces import FaceLimits, crop_face, detect_faces, find_faces
from artcluster.images.policy import PixelPolicy
from artcluster.images.sandbox.decoder import Decoder
from artcluster.images.slices import DecodeSlices, slice_grid
from artcluster.images.thumbnail import decode_thumbnail, inside
from artcluster.location import Location
from artcluster.store import Store
from artcluster.workflows.embedding.decoding import open_decoder
from artcluster.workflows.job import fingerprint


@dataclass(frozen=True)
class CropSettings:
    """What becomes of a picture.

    Attributes:
        slice_px: A picture larger than one and a half of this is cut into slices of this side.
        max_slices: Slices of one picture at most; 1 cuts none.
        faces_of: Labels whose pictures are cropped to their surest face.
    """

    side_px: int
    slice_px: int = 1
    max_slices: int = 1
    faces_of: frozenset[str] = frozenset()


@dataclass(frozen=True)
class PictureSource:
    """One picture to decode: where its bytes lie, and what they must still be."""

    content_id: str
    uri: str
    size_bytes: int | None
    face: bool


@dataclass(frozen=True)
class CropChunk:
    """An array of crops in the store.

    Attributes:
        array: Its path, uint8 (N, side, side, 3).
        content_ids: Whose crops, in its order.
        crops: How many each picture gave.
        faces: How many of the pictures gave a face.
        missing: Pictures that gave none, by reason.
    """

    array: str
    content_ids: tuple[str, ...]
    crops: tuple[int, ...]
    faces: int
    missing: Mapping[str, int]


@dataclass(frozen=True)
class DecodeCrops:
    """Fetches and decodes pictures into chunks. Picklable; called once in each worker process."""

    store: Store
    archive: Location
    folder: str
    policy: PixelPolicy
    cropping: CropSettings
    images: ImageSettings
    fetch: FetchSettings

    def __call__(self) -> Callable[[tuple[int, list[PictureSource]]], tuple[int, CropChunk]]:
        """Start the decoders and return the step: from numbered pictures to their chunk."""
        cropping = self.cropping
        cutter = DecodeSlices(cropping.slice_px, cropping.max_slices)
        column_px = (cropping.max_slices * cropping.side_px, cropping.side_px)
        decoder = open_decoder(self.policy, column_px, self.images, cutter)
        fetcher = Fetcher(self.archive, self.fetch)
        faces = _Faces(self.policy, self.images, cropping.side_px)

        def decode(item: tuple[int, list[PictureSource]]) -> tuple[int, CropChunk]:
            number, sources = item
            name = fingerprint([[source.content_id, source.face] for source in sources])
            listed = f"{self.folder}/{name}.json"
            if self.store.exists(listed):
                known = json.loads(self.store.read_bytes(listed))
                return number, _chunk(self.folder, known)
            kept: list[str] = []
            arrays: list[np.ndarray] = []
            missing: Counter[str] = Counter()
            found_faces = 0
            for source, file in fetcher.fetch_many(sources):
                if file.outcome != "ok" or file.content_id != source.content_id:
                    missing["changed" if file.outcome == "ok" else file.outcome] += 1
                    continue
                face = faces.of(file.data) if source.face else None
                if face is not None:
                    found_faces += 1
                    arrays.append(face[None])
                else:
                    cut = _slices(decoder, file.data, cropping)
                    if isinstance(cut, str):
                        missing[cut] += 1
                        continue
                    arrays.append(cut)
                kept.append(source.content_id)
            side = cropping.side_px
            pixels = np.concatenate([np.empty((0, side, side, 3), np.uint8), *arrays])
            content = io.BytesIO()
            np.save(content, pixels)
            # Should the archive change between two attempts, their arrays have other names.
            array = f"{name}-{fingerprint(kept)}.npy"
            self.store.write_bytes(f"{self.folder}/{array}", content.getvalue())
            facts = {
                "array": array,
                "content_ids": kept,
                "squares": [len(each) for each in arrays],
                "faces": found_faces,
                "missing": dict(missing),
            }
            self.store.write_bytes(listed, json.dumps(facts).encode())
            return number, _chunk(self.folder, facts)

        return decode


def _chunk(folder: str, facts: Mapping[str, object]) -> CropChunk:
    content_ids, crops, missing = facts["content_ids"], facts["squares"], facts["missing"]
    assert isinstance(content_ids, list)
    assert isinstance(crops, list)
    assert isinstance(missing, dict)
    faces = facts["faces"]
    assert isinstance(faces, int)
    return CropChunk(f"{folder}/{facts['array']}", tuple(content_ids), tuple(crops), faces, missing)


def _slices(decoder: Decoder, blob: bytes, cropping: CropSettings) -> np.ndarray | str:
    """Return a picture's slices, or why there are none."""
    batch = decoder.decode([blob])
    info = batch.infos[0]
    if info.reject is not None:
        return info.reject.reason
    assert info.height is not None
    assert info.width is not None
    rows, columns = slice_grid((info.height, info.width), cropping.slice_px, cropping.max_slices)
    side = cropping.side_px
    slices: np.ndarray = batch.pixels_NHWC[0][: rows * columns * side]
    return slices.reshape(-1, side, side, 3).copy()


class _Faces:
    """Crops pictures to their surest face; its decoder starts with the first."""

    def __init__(self, policy: PixelPolicy, images: ImageSettings, side_px: int) -> None:
        self._limits = FaceLimits()
        self._policy = policy
        self._images = images
        self._side_px = side_px
        self._decoder: Decoder | None = None

    def of(self, blob: bytes) -> np.ndarray | None:
        """Return the face of a picture; None where none is found, or it cannot be decoded."""
        box = (self._limits.longest_px, self._limits.longest_px)
        if self._decoder is None:
            self._decoder = open_decoder(self._policy, box, self._images, decode_thumbnail)
        batch = self._decoder.decode([blob])
        info = batch.infos[0]
        if info.reject is not None or info.height is None or info.width is None:
            return None
        height, width = inside((info.height, info.width), box)
        picture = batch.pixels_NHWC[0][:height, :width]
        found = find_faces(picture, detect_faces, self._limits)
        return crop_face(picture, found[0], self._side_px) if found else None
