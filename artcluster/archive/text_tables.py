"""Tables that are text, CSV and JSON lines: what is wrong is said with its line, never guessed."""

import codecs
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from artcluster.errors import UsageError

ROW = "__row"
"""The column that numbers a table's rows from 0."""


IMAGE = "__image"
"""The column of the image's path, where rows are joined to images."""


DELIMITERS = (",", ";", "\t", "|")
_LONGEST_FIELD = 16 << 20

_MOST_COLUMNS = 5_000

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_EXCEL_DELIMITER = "sep="


@dataclass(frozen=True)
class TextFile:
    """A local file of text.

    Attributes:
        file: Where it lies on this machine.
        name: How the user knows it.
        given_encoding: Its encoding, unless a byte order mark or UTF-16's zero bytes say another.
    """

    file: Path
    name: str
    given_encoding: str | None = None

    def open(self) -> IO[str]:
        """Open it for reading, line ends as they are.

        Raises:
            UsageError: There is no encoding of the given name.
        """
        return io.TextIOWrapper(self.file.open("rb"), self.encoding(), newline="")

    def encoding(self) -> str:
        """Return the encoding that the file is read in; by default UTF-8.

        Raises:
            UsageError: There is no encoding of the given name.
        """
        with self.file.open("rb") as file:
            start = file.read(4)
        for mark, encoding in _BOMS:
            if start.startswith(mark):
                return encoding
        # Text that begins with ASCII has a zero in every other byte of UTF-16, and nowhere else.
        if len(start) == 4 and start[1] == start[3] == 0 != start[0]:
            return "utf-16-le"
        if len(start) == 4 and start[0] == start[2] == 0 != start[1]:
            return "utf-16-be"
        given = self.given_encoding or "utf-8"
        try:
            codecs.lookup(given)
        except LookupError:
            raise UsageError(
                f"metadata.encoding: expected the name of an encoding, such as utf-8, cp1252 or "
                f"latin-1, got {given!r}."
            ) from None
        return given

    def fault(self, error: UnicodeError) -> UsageError:
        """Return what to say where a byte does not fit the encoding."""
        encoding = self.encoding()
        offset, value = _first_undecodable(self.file, encoding)
        where = f"byte {value:#04x} at offset {offset:,}" if value is not None else str(error)
        return UsageError(
            f"{self.name}: {where} is not {encoding.upper()}. Save the table as UTF-8, or name its "
            "encoding: --set metadata.encoding=cp1252 for a CSV saved by Excel on Windows, "
            "latin-1 for other older programs."
        )


@dataclass(frozen=True)
class CsvFile:
    """A CSV file with a header.

    A first line `sep=;`, which Excel writes, names the delimiter and is passed over.

    Attributes:
        text: The file.
        delimiter: By default the one of `DELIMITERS` that its header holds most often.
    """

    text: TextFile
    delimiter: str | None = None

    def header(self) -> list[str]:
        """Return the columns' names; an empty one becomes `column_<number>`.

        Raises:
            UsageError: There is no header, or a name is there twice.
        """
        first = next(self._parsed(), None)
        if first is None:
            raise UsageError(
                f"{self.text.name}: expected a line of column names, got an empty file."
            )
        return column_names(first[1], self.text.name)

    def rows(self) -> Iterator[list[str | None]]:
        """Yield the rows after the header; empty lines are passed over.

        Raises:
            UsageError: A row has more or fewer fields than the header, or a quote is not closed,
                or a byte does not fit the encoding.
        """
        columns = len(self.header())
        parsed = self._parsed()
        next(parsed)
        for line, row in parsed:
            if len(row) != columns:
                raise UsageError(
                    f"{self.text.name}, line {line}: expected {columns} fields as in the header, "
                    f"got {len(row)}. A field that holds the delimiter {self._dialect()[0]!r} must "
                    "stand in double quotes."
                )
            yield [field or None for field in row]

    def _parsed(self) -> Iterator[tuple[int, list[str]]]:
        csv.field_size_limit(_LONGEST_FIELD)
        delimiter, names_delimiter = self._dialect()
        with self.text.open() as text:
            if names_delimiter:
                text.readline()
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            try:
                for row in reader:
                    if row:
                        yield reader.line_num + names_delimiter, row
            except csv.Error as error:
                line = reader.line_num + names_delimiter
                raise UsageError(
                    f"{self.text.name}, at or before line {line}: {error}. Expected CSV with "
                    "fields in double quotes where they hold delimiters, quotes (doubled) or "
                    "line breaks."
                ) from None
            except UnicodeError as error:
                raise self.text.fault(error) from None

    def _dialect(self) -> tuple[str, bool]:
        """Return the delimiter, and whether the first line names it as Excel does."""
        try:
            with self.text.open() as text:
                first = text.readline()
        except UnicodeError as error:
            raise self.text.fault(error) from None
        named = first.strip("\r\n").strip('"')
        if named.lower().startswith(_EXCEL_DELIMITER) and len(named) == len(_EXCEL_DELIMITER) + 1:
            return self.delimiter or named[-1], True
        found = max(DELIMITERS, key=lambda one: (first.count(one), one == ","))
        return self.delimiter or found, False


@dataclass(frozen=True)
class JsonLines:
    """A file of one JSON object per line; the columns are all the keys that any of them has.

    Attributes:
        text: The file.
    """

    text: TextFile

    def header(self) -> list[str]:
        """Return the columns' names, in the order in which they first come.

        Raises:
            UsageError: A line is no JSON object, or two names differ only in case.
        """
        return column_names(self._keys(), self.text.name)

    def rows(self) -> Iterator[list[str | None]]:
        """Yield each object's values as texts: numbers as they are written, nested values as JSON.

        An empty string counts as no value, as in CSV, and so does NaN.

        Raises:
            UsageError: A line is no JSON object.
        """
        keys = self._keys()
        for row in self._objects():
            yield [_as_text(row.get(key)) for key in keys]

    def _keys(self) -> list[str]:
        keys: dict[str, None] = {}
        for row in self._objects():
            keys.update(dict.fromkeys(row))
            if len(keys) > _MOST_COLUMNS:
                raise UsageError(
                    f"{self.text.name}: the objects have more than {_MOST_COLUMNS:,} different "
                    "keys. Expected one object per image, all with about the same keys."
                )
        return list(keys)

    def _objects(self) -> Iterator[dict[str, Any]]:
        number = 0
        try:
            with self.text.open() as text:
                for number, line in enumerate(text, start=1):
                    if line.strip():
                        yield self._object(line, number)
        except UnicodeDecodeError as error:
            raise self.text.fault(error) from None

    def _object(self, line: str, number: int) -> dict[str, Any]:
        where = f"{self.text.name}, line {number}: expected one JSON object"
        try:
            found = json.loads(
                line, parse_int=_Number, parse_float=_Number, parse_constant=_constant
            )
            if "\\u" in line:
                json.dumps(found, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise UsageError(f"{where}, got half of a surrogate pair in a string.") from None
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{where}. {error}.") from None
        if not isinstance(found, dict):
            raise UsageError(f"{where}, got {line.strip()[:40]!r}.")
        return found


class _Number(str):
    """A number of a JSON file, as it is written there."""

    __slots__ = ()


def _constant(name: str) -> str | None:
    return None if name == "NaN" else _Number(name)


def _as_text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    """Write a value as JSON, its numbers as they were written.

    >>> _json({"a": [_Number("1.50"), "x", None]})
    '{"a": [1.50, "x", null]}'
    """
    if isinstance(value, _Number):
        return value
    if isinstance(value, dict):
        pairs = (f"{_json(str(key))}: {_json(each)}" for key, each in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def column_names(given: list[str], table: str) -> list[str]:
    """Return a table's column names; an empty one becomes `column_<number>`.

    Raises:
        UsageError: A name is there twice.
    """
    names = [text.strip() or f"column_{number}" for number, text in enumerate(given, start=1)]
    seen = {ROW, IMAGE}
    for name in names:
        if name.lower() in seen:
            raise UsageError(
                f"{table}: the column {name!r} is there twice (upper and lower case count as the "
                "same). Rename one of them."
            )
        seen.add(name.lower())
    return names


def _first_undecodable(file: Path, encoding: str) -> tuple[int, int | None]:
    decoder = codecs.getincrementaldecoder(encoding)()
    offset = 0
    with file.open("rb") as binary:
        while chunk := binary.read(1 << 20):
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                return offset - pending + error.start, error.object[error.start]
            offset += len(chunk)
    return offset, None
