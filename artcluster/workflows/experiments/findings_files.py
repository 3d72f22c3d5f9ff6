"""Findings as files: a page, Markdown with figures, and the figures' data."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from artcluster.location import Location
from artcluster.pages.findings import Findings
from artcluster.pages.findings_markdown import findings_markdown
from artcluster.pages.findings_page import findings_html
from artcluster.store.blobs import Blobs


@dataclass(frozen=True)
class FindingsFiles:
    """Where the files lie.

    Attributes:
        page: To open in a browser.
        markdown: The same as text.
        data: JSON with every figure.
        table: CSV with a row a fit, or ''.
    """

    page: str
    markdown: str
    data: str
    table: str


def write_findings(
    folder: Location,
    name: str,
    findings: Findings,
    data: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]] = (),
) -> FindingsFiles:
    """Write findings: `index.html`, and `name` as .md, .json and, if it has rows, .csv.

    Args:
        data: What JSON holds.
        rows: What CSV holds; nested values as JSON.
    """
    folder.objects(create=True)
    blobs = Blobs(folder)
    text, figures = findings_markdown(findings, f"{name}-figures/")
    for file, svg in figures.items():
        blobs.write(f"{name}-figures/{file}", svg.encode("utf-8", "replace"))
    blobs.write(f"{name}.md", text.encode("utf-8", "replace"))
    blobs.write(f"{name}.json", json.dumps(data, indent=2, default=str).encode())
    if rows:
        blobs.write(f"{name}.csv", _csv(rows))
    blobs.write("index.html", findings_html(findings))
    return FindingsFiles(
        page=folder.child("index.html").uri,
        markdown=folder.child(f"{name}.md").uri,
        data=folder.child(f"{name}.json").uri,
        table=folder.child(f"{name}.csv").uri if rows else "",
    )


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    flat = [_flat("", row) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue().encode("utf-8", "replace")


def _flat(prefix: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row without nesting.

    >>> _flat("", {"k": 2, "labels": {"genre": {"nmi": 0.5}}})
    {'k': 2, 'labels.genre.nmi': 0.5}
    """
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= _flat(f"{prefix}{name}.", value)
        else:
            flat[prefix + name] = value
    return flat
