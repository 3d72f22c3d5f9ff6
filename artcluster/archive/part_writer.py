"""Writing a plan's parts as row groups of Parquet files, and the references to them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import obstore
import pyarrow as pa
import pyarrow.parquet as pq

from artcluster.archive.parts import PARTS, PartRef, part_id_of, rows_of
from artcluster.location import ObjectStore

_PARTS_A_FILE = 64

_INDEX = pa.schema(
    [
        ("file", pa.int32()),
        ("index", pa.int32()),
        ("part", pa.int32()),
        ("part_id", pa.string()),
        ("images", pa.int32()),
        ("size_bytes", pa.int64()),
    ]
)


class PartWriter:
    """Writes parts as row groups, 64 a file, and the references to them as one more file."""

    def __init__(
        self, store: ObjectStore, folder: str, scratch: Path, header: dict[str, Any]
    ) -> None:
        self.files: list[str] = []
        self.index = f"{folder}/index.parquet"
        self.parts = self.images = self.size_bytes = 0
        self._store = store
        self._folder = folder
        self._local = scratch / "parts.parquet"
        self._local_index = scratch / "index.parquet"
        self._header = header
        self._schema = PARTS.with_metadata({"plan": json.dumps(header)})
        self._writer: pq.ParquetWriter | None = None
        self._index = pq.ParquetWriter(self._local_index, _INDEX, compression="zstd")
        self._refs: list[PartRef] = []

    def add(self, files: pa.Table) -> None:
        """Append a part: rows of path, uri, size_bytes, version and content_id."""
        part = pa.array([self.parts] * files.num_rows, pa.int32())
        table = pa.Table.from_arrays(
            [part, *(files[name].cast(PARTS.field(name).type) for name in PARTS.names[1:])],
            schema=self._schema,
        )
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._local,
                self._schema,
                compression="zstd",
                use_dictionary=False,
                write_statistics=False,
            )
        self._writer.write_table(table, row_group_size=table.num_rows)
        rows = rows_of(table)
        ref = PartRef(
            file=f"{self._folder}/parts-{len(self.files):05d}.parquet",
            index=len(self._refs),
            part=self.parts,
            part_id=part_id_of(self._header, rows),
            images=len(rows),
            size_bytes=sum(row.size_bytes or 0 for row in rows),
        )
        self._refs.append(ref)
        self.parts += 1
        self.images += ref.images
        self.size_bytes += ref.size_bytes
        if len(self._refs) == _PARTS_A_FILE:
            self._upload()

    def close(self) -> None:
        """Write what is left, and the index."""
        self._upload()
        self._index.close()
        obstore.put(self._store, self.index, self._local_index, mode="create")

    def _upload(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        self._writer = None
        obstore.put(self._store, self._refs[0].file, self._local, mode="create")
        rows = [asdict(ref) | {"file": len(self.files)} for ref in self._refs]
        self._index.write_table(pa.Table.from_pylist(rows, _INDEX))
        self.files.append(self._refs[0].file)
        self._refs = []
