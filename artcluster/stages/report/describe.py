"""From a row of `members` to a picture as pages show it: caption, number, link to the original."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from artcluster.config.report import ReportSettings
from artcluster.errors import UsageError
from artcluster.redaction import redact
from artcluster.report.atlas import Tile
from artcluster.report.content import Picture
from artcluster.store.member_ids import split_member

_FIELD = re.compile(r"\{([^{}]*)\}")
_OWN_FIELDS = ("path", "stem", "uri", "content_id", "region", "number")
_LONGEST = 300
_ADDRESS = "user_path"
"""What a metadata file's own column `path` is called: it names the image, no more."""


class Describe:
    """Describes rows of `members`.

    Args:
        settings: Which columns caption and number a picture, and how originals are linked.
        metadata: The metadata columns there are.

    Raises:
        UsageError: A setting names a column that there is not, or the link is no web address.
    """

    def __init__(self, settings: ReportSettings, metadata: Sequence[str]) -> None:
        self.settings = settings
        self.metadata = tuple(metadata)
        self.title_column = self._column("title_column") or _find("title", metadata)
        self.number_column = self._column("number_column")
        if settings.link is not None:
            for name in _FIELD.findall(settings.link):
                if name not in _OWN_FIELDS and name not in metadata:
                    known = ", ".join((*_OWN_FIELDS, *metadata))
                    raise UsageError(f"report.link: no field {name!r}; there are {known}")
            if not settings.link.startswith(("http://", "https://", "file://")):
                raise UsageError("report.link: expected an address beginning with https://")

    def picture(
        self, row: Mapping[str, Any], tile: Tile | None, title_of: Callable[[int], str]
    ) -> Picture:
        """Return the picture of a row.

        Args:
            row: Of `members`.
            tile: Its small copy.
            title_of: What a cluster is called.
        """
        second = row["second_cluster"]
        remarks = [("outlier", row["outlier"]), ("low confidence", row["low_confidence"])]
        return Picture(
            content_id=row["content_id"],
            caption=self.caption(row),
            path=row["path"],
            place=redact(row["uri"]),
            link=self.link(row),
            number=self.number(row),
            tile=tile,
            width=row["width"] or 0,
            height=row["height"] or 0,
            copies=row["_copies"],
            confidence=float(row["confidence"]),
            second="" if second is None or second == row["cluster"] else title_of(second),
            remarks=[text for text, holds in remarks if holds],
            facts={
                name: _short(row[name])
                for name in self.metadata
                if row[name] not in (None, "", []) and name not in (self.title_column, _ADDRESS)
            },
        )

    def caption(self, row: Mapping[str, Any]) -> str:
        """Return what a picture is called."""
        title = row[self.title_column] if self.title_column else None
        return _short(title) if title not in (None, "") else PurePosixPath(row["path"]).name

    def number(self, row: Mapping[str, Any]) -> str:
        """Return the archive's own number; '' where it has none."""
        value = row[self.number_column] if self.number_column else None
        return "" if value is None else _short(value)

    def link(self, row: Mapping[str, Any]) -> str:
        """Return where the original can be opened; '' where a browser cannot."""
        if self.settings.link is None:
            return browser_link(row["uri"])
        content_id, region = split_member(row["content_id"])
        own = {
            "path": row["path"],
            "stem": PurePosixPath(row["path"]).stem,
            "uri": redact(row["uri"]),
            "content_id": content_id,
            "region": region or "full",
            "number": self.number(row),
        }

        def value(field: re.Match[str]) -> str:
            name = field.group(1)
            found = own[name] if name in own else row[name]
            return quote("" if found is None else str(found), safe="/" if name == "path" else "")

        return _FIELD.sub(value, self.settings.link)

    def _column(self, setting: str) -> str | None:
        name = getattr(self.settings, setting)
        if name is not None and name not in self.metadata:
            have = ", ".join(self.metadata) or "none"
            raise UsageError(f"report.{setting}: no metadata column {name!r}; there are: {have}")
        return None if name is None else str(name)


def describing_columns(settings: ReportSettings, metadata: Sequence[str]) -> list[str]:
    """Return the metadata columns that clusters are described by.

    Raises:
        UsageError: A setting names a column that there is not.
    """
    for name in settings.columns:
        if name not in metadata:
            have = ", ".join(metadata) or "none"
            raise UsageError(f"report.columns: no metadata column {name!r}; there are: {have}")
    return list(settings.columns or (name for name in metadata if name != _ADDRESS))


def browser_link(uri: str) -> str:
    """Return an address that a browser opens; '' for other places, such as buckets.

    >>> browser_link("/art/<b> 1.jpg")
    'file:///art/%3Cb%3E%201.jpg'
    >>> browser_link("s3://museum/1.jpg")
    ''
    """
    if uri.startswith("/"):
        return "file://" + quote(uri)
    return redact(uri) if uri.startswith(("http://", "https://", "file://")) else ""


def _find(name: str, columns: Sequence[str]) -> str | None:
    return next((column for column in columns if column.lower() == name), None)


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
