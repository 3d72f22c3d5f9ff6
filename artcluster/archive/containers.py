"""Archives in archives: pictures that are members of zips, tars and Parquet files.

A member's address is its container's, `!`, where it lies in it, `/` and its name, such as
`s3://museum/shard-7.tar!1536+20480/a.jpg`. A container is opened once in each process; a member
then takes one range read. To add a kind of container, write a class like these and put it into
`CONTAINERS`.
"""

import bisect
import hashlib
import io
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from artcluster.archive.entries import printable
from artcluster.archive.readers import GONE, FetchedFile

_READ_AHEAD_BYTES = 1 << 20

_TAR_BLOCK_BYTES = 512

_LONGEST_ZIP_HEADER_BYTES = 30 + 2 * 65_535


class NoImagesError(Exception):
    """A Parquet file is a table of something else than images."""


class BadMemberError(OSError):
    """A member cannot be unpacked, though its container is there: to try again does not help."""


@dataclass(frozen=True)
class Ranges:
    """A file of which ranges can be read.

    Attributes:
        read: Returns the bytes from a start to an end.
        size_bytes: Its size.
        version: Its change marker.
    """

    read: Callable[[int, int], bytes]
    size_bytes: int
    version: str | None

    def file(self) -> io.BufferedReader:
        """Return it as a seekable file that reads ahead."""
        return io.BufferedReader(_RangeFile(self), _READ_AHEAD_BYTES)


@dataclass(frozen=True)
class Member:
    """A picture in a container.

    Attributes:
        name: Its path in there.
        place: Where it lies, in the container's own way; part of its address.
        size_bytes: Its size, where that is known without reading it.
        version: Its change marker.
    """

    name: str
    place: str
    size_bytes: int | None
    version: str


class Container(Protocol):
    """An open container. Reading members is safe from several threads."""

    def members(self) -> Iterator[Member]:
        """Yield its files in order; those without bytes are left out."""
        ...

    def read(self, address: "MemberAddress", max_bytes: int) -> FetchedFile:
        """Read a member whole.

        Raises:
            OSError: It cannot be read; the container is not what it was.
        """
        ...


class Zip:
    """A zip file; its directory at the end tells where members lie."""

    def __init__(self, ranges: Ranges) -> None:
        self._ranges = ranges
        with zipfile.ZipFile(ranges.file()) as opened:
            self._infos = {info.filename: info for info in opened.infolist() if not info.is_dir()}
            self._ends = sorted([info.header_offset for info in opened.infolist()])
            self._ends.append(opened.start_dir)

    def members(self) -> Iterator[Member]:
        """Yield its files in order."""
        for info in self._infos.values():
            yield Member(info.filename, "", info.file_size, _zip_version(info))

    def read(self, address: "MemberAddress", max_bytes: int) -> FetchedFile:
        """Read a member in one range: its header and all up to the next one."""
        info = self._infos.get(address.name)
        if info is None:
            return GONE
        if info.file_size > max_bytes:
            return FetchedFile("too-large", size_bytes=info.file_size, version=_zip_version(info))
        if info.flag_bits & 1:
            raise BadMemberError("it is encrypted")
        start = info.header_offset
        next_one = self._ends[bisect.bisect_right(self._ends, start)]
        end = min(next_one, start + _LONGEST_ZIP_HEADER_BYTES + info.compress_size)
        data = self._ranges.read(start, end)
        body = 30 + int.from_bytes(data[26:28], "little") + int.from_bytes(data[28:30], "little")
        if data[:4] != b"PK\x03\x04" or len(data) < body + info.compress_size:
            raise OSError("the zip changed since it was opened, or is cut short")
        packed = io.BytesIO(data[body : body + info.compress_size])
        try:
            # Reads no more than the size that the directory states, and checks its CRC.
            with zipfile.ZipExtFile(packed, "r", info) as member:
                return _fetched(member.read(), _zip_version(info))
        except Exception as error:  # zlib and lzma have errors of their own.
            raise BadMemberError(f"it cannot be unpacked: {error}") from error


def _zip_version(info: zipfile.ZipInfo) -> str:
    return f"{info.CRC:08x}-{info.file_size}"


class Tar:
    """A tar file that is not compressed, such as a shard of a WebDataset."""

    def __init__(self, ranges: Ranges) -> None:
        self._ranges = ranges

    def members(self) -> Iterator[Member]:
        """Yield its files, of several of one name the last; this reads through the tar.

        Raises:
            tarfile.ReadError: It is damaged.
        """
        found = False
        members: dict[str, Member] = {}
        with tarfile.open(fileobj=self._ranges.file(), mode="r:") as opened:
            for info in opened:
                found = True
                # A file with holes has no bytes in one piece; links have none at all.
                if info.isreg() and not info.issparse():
                    place = f"{info.offset_data}+{info.size}"
                    name = printable(info.name).removeprefix("./")
                    members[name] = Member(
                        name, place, info.size, f"{self._ranges.version}:{place}"
                    )
            # Where a header is damaged, `tarfile` takes what it has for all there is.
            end = min(opened.offset + _TAR_BLOCK_BYTES, self._ranges.size_bytes)
            if opened.offset < end and any(self._ranges.read(opened.offset, end)):
                raise tarfile.ReadError(f"its header at byte {opened.offset:,} is damaged")
        if not found and self._ranges.size_bytes > 20 * _TAR_BLOCK_BYTES:
            raise tarfile.ReadError("it begins like an empty tar")
        yield from members.values()

    def read(self, address: "MemberAddress", max_bytes: int) -> FetchedFile:
        """Read a member in one range, with the block before it, which is its header."""
        start, size = map(int, address.place.split("+"))
        version = f"{self._ranges.version}:{address.place}"
        if size > max_bytes:
            return FetchedFile("too-large", size_bytes=size, version=version)
        data = self._ranges.read(start - _TAR_BLOCK_BYTES, start + size)
        try:
            header = tarfile.TarInfo.frombuf(
                data[:_TAR_BLOCK_BYTES], tarfile.ENCODING, "surrogateescape"
            )
        except tarfile.HeaderError:
            return GONE
        if header.size != size or len(data) < _TAR_BLOCK_BYTES + size:
            return GONE
        return _fetched(data[_TAR_BLOCK_BYTES:], version)


class ParquetImages:
    """A Parquet file with the bytes of an image in each row, as Hugging Face data sets have."""

    def __init__(self, ranges: Ranges) -> None:
        self._ranges = ranges
        self._file = pq.ParquetFile(pa.PythonFile(_RangeFile(ranges), "r"))
        column = image_column(self._file.schema_arrow)
        if column is None:
            raise NoImagesError(
                "expected a column `image` with the fields bytes and path, or a column `bytes`, "
                f"got {', '.join(self._file.schema_arrow.names)}"
            )
        self._bytes, self._path = column
        self.has_addresses = bool({"uri", "url"} & {*self._file.schema_arrow.names})
        counts = [
            self._file.metadata.row_group(number).num_rows
            for number in range(self._file.num_row_groups)
        ]
        self._starts = [sum(counts[:number]) for number in range(len(counts))]
        self._last: tuple[int, list[bytes | None]] | None = None
        self._lock = Lock()

    def members(self) -> Iterator[Member]:
        """Yield its rows; only the images' paths are read."""
        names: set[str] = set()
        row = 0
        for number in range(self._file.num_row_groups):
            count = self._file.metadata.row_group(number).num_rows
            paths = [None] * count if self._path is None else self._leaf(number, self._path)
            for path in paths:
                name = path if path and path not in names else f"{row:09d}{_ending(path)}"
                names.add(name)
                yield Member(name, str(row), None, f"{self._ranges.version}:{row}")
                row += 1

    def read(self, address: "MemberAddress", max_bytes: int) -> FetchedFile:
        """Read a row's image; its row group is kept for the next ones."""
        row = int(address.place)
        try:
            return self._read(row, max_bytes)
        except pa.ArrowException as error:
            raise BadMemberError(f"its rows cannot be read: {error}") from error

    def _read(self, row: int, max_bytes: int) -> FetchedFile:
        group = bisect.bisect_right(self._starts, row) - 1
        last = self._last
        if last is None or last[0] != group:
            last = (
                group,
                pa.chunked_array([pa.array(self._leaf(group, self._bytes), pa.binary())]),
            )
            self._last = last
        if row - self._starts[group] >= len(last[1]):
            return GONE
        data = last[1][row - self._starts[group]].as_py()
        if data is None:
            return GONE
        version = f"{self._ranges.version}:{row}"
        if len(data) > max_bytes:
            return FetchedFile("too-large", size_bytes=len(data), version=version)
        return _fetched(data, version)

    def _leaf(self, group: int, column: str) -> list[Any]:
        table = self._file.read_row_group(group, columns=[column])
        values = table.column(0)
        for name in column.split(".")[1:]:
            values = pa.chunked_array([chunk.field(name) for chunk in values.chunks])
        found: list[Any] = values.to_pylist()
        return found


def image_column(schema: pa.Schema) -> tuple[str, str | None] | None:
    """Return the columns of a Parquet file that hold images' bytes and their paths, or None.

    >>> image = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    >>> image_column(pa.schema({"label": pa.int64(), "image": image}))
    ('image.bytes', 'image.path')
    """
    for field in sorted(schema, key=lambda each: each.name != "image"):
        if pa.types.is_struct(field.type):
            names = {each.name: each.type for each in field.type}
            if "bytes" in names and _is_binary(names["bytes"]):
                return f"{field.name}.bytes", f"{field.name}.path" if "path" in names else None
    for field in schema:
        if field.name in ("bytes", "image") and _is_binary(field.type):
            return field.name, "path" if "path" in schema.names else None
    return None


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


CONTAINERS: dict[str, Callable[[Ranges], Container]] = {
    ".zip": Zip,
    ".tar": Tar,
    ".parquet": ParquetImages,
}
"""Ending → how such a container is opened."""


BROKEN = (zipfile.BadZipFile, tarfile.TarError, pa.ArrowException, NotImplementedError, EOFError)
"""What opening a container or listing it raises where it is not one."""


_PLACE = re.compile(r"!([0-9]*\+?[0-9]*)/(?=.)", re.DOTALL)


@dataclass(frozen=True)
class MemberAddress:
    """A member's address, taken apart."""

    container: str
    place: str
    name: str


def is_container(uri: str) -> bool:
    """Tell by its ending whether a file may be a container."""
    return "::" not in uri and uri.lower().endswith(tuple(CONTAINERS))


def member_uri(container: str, member: Member) -> str:
    """Return a member's address.

    >>> member_uri("/a/b.tar", Member("c/d.jpg", "512+9", 9, "v"))
    '/a/b.tar!512+9/c/d.jpg'
    """
    return f"{container}!{member.place}/{member.name}"


def member_address(uri: str) -> MemberAddress | None:
    """Return the parts of a member's address; None for the address of a file.

    >>> member_address("/a/b.tar!512+9/c/d.jpg")
    MemberAddress(container='/a/b.tar', place='512+9', name='c/d.jpg')
    >>> member_address("/Wow!/a.zip!/c.jpg").container
    '/Wow!/a.zip'
    """
    for found in _PLACE.finditer(uri):
        if is_container(uri[: found.start()]):
            return MemberAddress(uri[: found.start()], found[1], uri[found.end() :])
    return None


def open_container(uri: str, ranges: Ranges) -> Container:
    """Open a container.

    Raises:
        zipfile.BadZipFile: Or another of `BROKEN`: it is not what its ending says.
    """
    ending = "." + uri.lower().rpartition(".")[2]
    return CONTAINERS[ending](ranges)


def _fetched(data: bytes, version: str) -> FetchedFile:
    return FetchedFile("ok", data, hashlib.sha256(data).hexdigest(), len(data), version)


def _ending(path: object) -> str:
    name = str(path or "").rpartition("/")[2]
    return f".{name.rpartition('.')[2]}" if "." in name else ""


class _RangeFile(io.RawIOBase):
    """A file that reads ranges."""

    def __init__(self, ranges: Ranges) -> None:
        self._ranges = ranges
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._ranges.size_bytes}
        self._at = start[whence] + offset
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        end = min(self._at + len(view), self._ranges.size_bytes)
        data = self._ranges.read(self._at, end) if end > self._at else b""
        view[: len(data)] = data
        self._at += len(data)
        return len(data)
