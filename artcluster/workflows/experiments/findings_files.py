"""Findings as files: a page, Markdown with figures, and the figures' data."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from artcluster.location import Location
from artcluster.pages.findings import Findings
from artcluster.pages.findings_markdown import findings_markdown
from artcluster.pages.findings_page import findings_html
from artcluster.store.blobs import Blobs


def figure(value: float | None) -> str:
    """Write a number with three decimals, fewer where it is large; a dash for none.

    >>> figure(0.12345), figure(1234.5), figure(7), figure(None)
    ('0.123', '1,234', '7', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    return f"{value:,.0f}" if size >= 1000 else f"{value:.1f}" if size >= 10 else f"{value:.3f}"


def mean_of(values: Sequence[float | None]) -> float | None:
    """Return the mean of those that are known; None where none is.

    >>> mean_of([1, None, 3]), mean_of([None])
    (2.0, None)
    """
    known = [float(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None


def spread_of(values: Sequence[float | None]) -> float | None:
    """Return the standard deviation (of the sample); None for fewer than two known values.

    >>> spread_of([1, 3, None])
    1.4142135623730951
    """
    known = [float(value) for value in values if value is not None]
    if len(known) < 2:
        return None
    mean = sum(known) / len(known)
    return math.sqrt(sum((value - mean) ** 2 for value in known) / (len(known) - 1))


def with_spread(values: Sequence[float | None]) -> str:
    """Write the mean and, where there are several values, their standard deviation.

    >>> with_spread([0.25, 0.35]), with_spread([0.25])
    ('0.300 ± 0.071', '0.250')
    """
    spread = spread_of(values)
    mean = figure(mean_of(values))
    return mean if spread is None else f"{mean} ± {figure(spread)}"


def share_of_largest(values: Sequence[float | None]) -> list[float | None]:
    """Divide by the largest value; DCEC-Paint's way to show the Calinski-Harabasz index.

    >>> share_of_largest([5.0, None, 10.0])
    [0.5, None, 1.0]
    """
    known = [value for value in values if value is not None]
    largest = max(known, default=0.0)
    return [None if value is None or largest <= 0 else value / largest for value in values]


def bytes_text(count: int | None) -> str:
    """Write a number of bytes in MB; a dash for none.

    >>> bytes_text(1_500_000_000)
    '1,500 MB'
    """
    return "–" if count is None else f"{count / 1e6:,.0f} MB"


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
    place: Location,
    name: str,
    findings: Findings,
    data: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]] = (),
) -> FindingsFiles:
    """Write findings: `index.html`, and `name` as .md, .json and, if it has rows, .csv.

    Args:
        place: A folder, in the place of what was found before under the same name.
        name: Of the files.
        findings: What the page says.
        data: What JSON holds.
        rows: What CSV holds; nested values as JSON.
    """
    place.objects(create=True)
    blobs = Blobs(place)
    text, figures = findings_markdown(findings, f"{name}-figures/")
    for file, svg in figures.items():
        blobs.write(f"{name}-figures/{file}", svg.encode("utf-8", "replace"))
    blobs.write(f"{name}.md", text.encode("utf-8", "replace"))
    blobs.write(f"{name}.json", json.dumps(data, indent=2, default=str).encode())
    if rows:
        blobs.write(f"{name}.csv", _csv(rows))
    blobs.write("index.html", findings_html(findings))
    return FindingsFiles(
        page=place.child("index.html").uri,
        markdown=place.child(f"{name}.md").uri,
        data=place.child(f"{name}.json").uri,
        table=place.child(f"{name}.csv").uri if rows else "",
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
