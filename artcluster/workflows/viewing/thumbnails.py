"""Small copies of an archive's pictures in sheets, made once and kept with the store.

Below `report-cache/thumbnails-<px>/` lie the sheets, each named for what it holds, and in `index/`
Parquet files that say where each content's small copy is. A later report makes what is missing.
"""

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from artcluster.config import Config
from artcluster.images.thumbnail import decode_salvaged, decode_thumbnail
from artcluster.pages.atlas import Grid, Tile, pack
from artcluster.runtime.executor import Step
from artcluster.store import Store
from artcluster.store.layout import THUMBNAILS
from artcluster.store.members import split_member
from artcluster.workflows.embedding.pictures import Pictures
from artcluster.workflows.job import Job

if TYPE_CHECKING:  # torch takes seconds to import
    from artcluster.images.sandbox.zygote import DecodeOne

_SHEETS_AN_INDEX = 16
_SCHEMA = pa.schema(
    [
        ("content_id", pa.string()),
        ("sheet", pa.string()),
        ("place", pa.int32()),
        ("width", pa.int32()),
        ("height", pa.int32()),
    ]
)


@dataclass(frozen=True)
class Original:
    """A picture to make a small copy of, or a part of one."""

    content_id: str
    """The member: with the region of a part."""
    uri: str


@dataclass(frozen=True)
class _Sheet:
    """A finished sheet, and where each content is in it."""

    name: str
    data: bytes
    tiles: Mapping[str, Tile]
    missing: int


class Thumbnails:
    """The small copies of one size that a store keeps.

    Args:
        cell_px: Side of the square that each fits in.
        broken: Keep what can be seen of rejects, apart from the others.
    """

    def __init__(self, store: Store, cell_px: int, *, broken: bool = False) -> None:
        self.grid = Grid(cell_px)
        self._store = store
        self._decode_one = decode_salvaged if broken else decode_thumbnail
        self._folder = THUMBNAILS.path(f"{'broken' if broken else 'thumbnails'}-{cell_px}")
        self._tiles = _read_index(store, self._folder)

    def __getitem__(self, content_id: str) -> Tile:
        return self._tiles[content_id]

    def get(self, content_id: str) -> Tile | None:
        """Return where a content's small copy is; None where it has none."""
        return self._tiles.get(content_id)

    def sheet(self, name: str) -> bytes:
        """Return a sheet's file."""
        return self._store.read_bytes(f"{self._folder}/{name}.webp")

    def make(self, job: Job, originals: Sequence[Original], stage: str) -> int:
        """Make what is missing, in the order given; return how many could not be made.

        Neighbours in the order share a sheet. What a killed job finished is not made again.
        """
        new = [each for each in originals if each.content_id not in self._tiles]
        cells = self.grid.cells
        parts = (new[start : start + cells] for start in range(0, len(new), cells))
        px = self.grid.cell_px
        steps = [
            Step("thumbnails", MakeThumbnails(job.config, px, self._decode_one)),
            Step("sheets", PackSheet(px)),
        ]
        missing = 0
        done: list[_Sheet] = []
        with job.timings.stage(stage, len(new)):
            for sheet in job.executor.stream(
                parts, steps, stall_timeout_s=job.config.embed.stall_timeout_s
            ):
                job.progress.advance(stage, len(sheet.tiles) + sheet.missing)
                missing += sheet.missing
                if not sheet.tiles:
                    continue
                self._store.write_bytes_if_absent(f"{self._folder}/{sheet.name}.webp", sheet.data)
                done.append(sheet)
                if len(done) == _SHEETS_AN_INDEX:
                    self._commit(done)
                    done = []
            if done:
                self._commit(done)
        return missing

    def _commit(self, sheets: Sequence[_Sheet]) -> None:
        """Write where the sheets' pictures are: with that they are there."""
        tiles = {content: tile for sheet in sheets for content, tile in sheet.tiles.items()}
        rows = pa.Table.from_pylist(
            [{"content_id": content, **vars(tile)} for content, tile in tiles.items()], _SCHEMA
        )
        stream = io.BytesIO()
        pq.write_table(rows, stream)
        name = _digest(*(sheet.name for sheet in sheets))
        self._store.write_bytes_if_absent(f"{self._folder}/index/{name}.parquet", stream.getvalue())
        self._tiles.update(tiles)


@dataclass(frozen=True)
class MakeThumbnails:
    """Fetches and decodes originals. Picklable; called once in each worker process."""

    config: Config
    cell_px: int
    decode_one: "DecodeOne"

    def __call__(self) -> Callable[[Sequence[Original]], list[tuple[str, Image.Image | None]]]:
        """Start a decoder and return the step."""
        pictures = Pictures(self.config, self.cell_px, self.decode_one)

        def make(originals: Sequence[Original]) -> list[tuple[str, Image.Image | None]]:
            regions = [split_member(each.content_id)[1] for each in originals]
            decoded = pictures.many([each.uri for each in originals], regions=regions)
            return [
                (original.content_id, picture.image)
                for original, picture in zip(originals, decoded, strict=True)
            ]

        return make


@dataclass(frozen=True)
class PackSheet:
    """Packs small pictures into a sheet. Picklable."""

    cell_px: int

    def __call__(self) -> Callable[[list[tuple[str, Image.Image | None]]], _Sheet]:
        """Return the step."""
        grid = Grid(self.cell_px)

        def sheet(decoded: list[tuple[str, Image.Image | None]]) -> _Sheet:
            made = [(content, image) for content, image in decoded if image is not None]
            name = _digest(*(content for content, _ in made))
            tiles = {
                content: Tile(name, place, image.width, image.height)
                for place, (content, image) in enumerate(made)
            }
            data = pack([image for _, image in made], grid) if made else b""
            return _Sheet(name, data, tiles, len(decoded) - len(made))

        return sheet


def _read_index(store: Store, folder: str) -> dict[str, Tile]:
    def tables() -> Iterator[pa.Table]:
        for path in sorted(store.list(f"{folder}/index")):
            yield pq.read_table(pa.BufferReader(store.read_bytes(path)))

    return {
        content: Tile(sheet, place, width, height)
        for table in tables()
        for content, sheet, place, width, height in zip(
            *(table[name].to_pylist() for name in _SCHEMA.names), strict=True
        )
    }


def _digest(*names: str) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
