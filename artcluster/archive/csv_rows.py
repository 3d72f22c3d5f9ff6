"""Reading CSV strictly: what is wrong with a file is said with its line, never guessed away."""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from artcluster.errors import UsageError

DELIMITERS = (",", ";", "\t", "|")

_LONGEST_FIELD = 16 << 20

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class CsvFile:
    """A local CSV file with a header.

    Attributes:
        file: Where it lies on this machine.
        name: How the user knows it.
        encoding: By default that of its byte order mark, else UTF-8.
        delimiter: By default the one of `DELIMITERS` that its header holds most often.
    """

    file: Path
    name: str
    encoding: str | None = None
    delimiter: str | None = None

    def header(self) -> list[str]:
        """Return the columns' names; an empty one becomes `column_<number>`.

        Raises:
            UsageError: There is no header, or a name is there twice.
        """
        first = next(self._parsed(), None)
        if first is None:
            raise UsageError(f"{self.name}: expected a line of column names, got an empty file.")
        names = [
            text.strip() or f"column_{number}" for number, text in enumerate(first[1], start=1)
        ]
        seen: set[str] = set()
        for name in names:
            if name.lower() in seen:
                raise UsageError(
                    f"{self.name}: the column {name!r} is there twice (upper and lower case count "
                    "as the same). Rename one of them."
                )
            seen.add(name.lower())
        return names

    def rows(self) -> Iterator[list[str]]:
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
                    f"{self.name}, line {line}: expected {columns} fields as in the header, got "
                    f"{len(row)}. A field that holds the delimiter {self._delimiter()!r} must "
                    "stand in double quotes."
                )
            yield row

    def _parsed(self) -> Iterator[tuple[int, list[str]]]:
        csv.field_size_limit(_LONGEST_FIELD)
        with self._open() as text:
            reader = csv.reader(text, delimiter=self._delimiter(), strict=True)
            try:
                for row in reader:
                    if row:
                        yield reader.line_num, row
            except csv.Error as error:
                raise UsageError(
                    f"{self.name}, at or before line {reader.line_num}: {error}. Expected CSV with "
                    "fields in double quotes where they hold delimiters, quotes (doubled) or "
                    "line breaks."
                ) from None
            except UnicodeError as error:
                raise UsageError(self._encoding_fault(error)) from None

    def _delimiter(self) -> str:
        if self.delimiter is not None:
            return self.delimiter
        try:
            with self._open() as text:
                header = text.readline()
        except UnicodeError as error:
            raise UsageError(self._encoding_fault(error)) from None
        return max(DELIMITERS, key=lambda one: (header.count(one), one == ","))

    def _open(self) -> IO[str]:
        return io.TextIOWrapper(self.file.open("rb"), self._encoding(), newline="")

    def _encoding(self) -> str:
        with self.file.open("rb") as file:
            start = file.read(4)
        for mark, encoding in _BOMS:
            if start.startswith(mark):
                return encoding
        return self.encoding or "utf-8"

    def _encoding_fault(self, error: UnicodeError) -> str:
        encoding = self._encoding()
        offset, value = _first_undecodable(self.file, encoding)
        where = f"byte {value:#04x} at offset {offset:,}" if value is not None else str(error)
        return (
            f"{self.name}: {where} is not {encoding.upper()}. Save the table as UTF-8, or name "
            "its encoding, such as latin-1 or cp1252 for tables from older Windows programs."
        )


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
