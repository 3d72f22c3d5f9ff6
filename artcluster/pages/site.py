"""The pages of a report, from their content to files that open from disk or any web server."""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from artcluster.pages.atlas import Grid
from artcluster.pages.charts import histogram, line_chart
from artcluster.pages.content import Card, Crosstab, Frame, ReportPicture
from artcluster.pages.findings_page import drawn
from artcluster.pages.templates import page_templates

Write = Callable[[str, bytes], object]
"""Takes a path below the report's root, and the file."""


POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src data:; base-uri 'none'; form-action 'none'"
)
"""Content security policy of every page: its own files alone, no inline script or style."""


MOST_COVERS = 60
_MOST_ROWS = 100
_SHORT = 40
_ASSETS = ("style.css", "page.js", "map.js")


class Site:
    """Draws a report's pages.

    Args:
        links: Name, file and text of each page of the navigation.
        grid: Cells of the sheets that pictures on pages lie in.
    """

    def __init__(
        self, frame: Frame, links: Sequence[tuple[str, str, str]], grid: Grid, write: Write
    ) -> None:
        self._frame = frame
        self._write = write
        environment = page_templates()
        environment.filters.update(
            number=lambda value: f"{value:,}",
            counted=counted,
            lift=lambda value: f"{value:.1f}×",
            percent=_percent,
            short=_short,
            heading=lambda text: text[:1].upper() + text[1:],
            key=cluster_key,
            page=cluster_page,
            findings=drawn,
            heat=_heat,
            curves=lambda chart: Markup(line_chart(chart)),
        )
        environment.globals.update(
            report=frame,
            policy=POLICY,
            links=links,
            page_names=[name for name, _, _ in links],
            most_covers=MOST_COVERS,
            most_rows=_MOST_ROWS,
            grid=grid,
            facts_of=_facts_of,
            shown={entry.cluster: entry.title for entry in frame.clusters},
        )
        self._environment = environment

    def assets(self) -> None:
        """Write styles and scripts."""
        folder = files("artcluster.pages") / "static"
        for name in _ASSETS:
            self._write(f"assets/{name}", (folder / name).read_bytes())
        rules = []
        for cluster, (light, dark) in self._frame.colours.items():
            rules.append(f".k-{cluster_key(cluster)}{{--light:{light};--dark:{dark}}}")
        self._write("assets/colours.css", "\n".join(rules).encode())

    def card(self, card: Card) -> None:
        """Write a cluster's page."""
        bars = histogram(card.histogram, card.histogram_end, "confidence", self._frame.members)
        self.page(
            "card",
            cluster_page(card.entry.cluster),
            "card.html",
            {"root": "../", "lightbox": True, "card": card, "histogram": Markup(bars)},
        )

    def page(self, name: str, file: str, template: str, values: Mapping[str, Any]) -> None:
        """Write a page.

        Args:
            name: As `links` has it.
            values: What the template takes beside the frame.
        """
        text = self._environment.get_template(template).render(page=name, **values)
        self._write(file, text.encode("utf-8", "replace"))


def counted(count: int, plural: str) -> str:
    """Return a number with what is counted, in the singular for one.

    >>> counted(1, "groups"), counted(2000, "images")
    ('1 group', '2,000 images')
    """
    return f"{count:,} {plural.removesuffix('s') if count == 1 else plural}"


def cluster_key(cluster: int) -> str:
    """Return what names a cluster in addresses and classes.

    >>> cluster_key(3), cluster_key(-1)
    ('3', 'noise')
    """
    return str(cluster) if cluster >= 0 else "noise"


def cluster_page(cluster: int) -> str:
    """Return the path of a cluster's page."""
    return f"clusters/{cluster_key(cluster)}.html"


def _facts_of(picture: ReportPicture) -> str:
    """Return what the enlarged view says of a picture, as JSON."""
    size = f"{picture.width:,} × {picture.height:,} px" if picture.width else ""
    confidence = f"{picture.confidence:.2f}"
    if picture.remarks:
        confidence += f" ({', '.join(picture.remarks)})"
    rows = [
        ("Number", picture.number),
        *picture.facts.items(),
        ("File", picture.path),
        ("Size", size),
        ("Copies", f"{picture.copies:,} files with the same bytes" if picture.copies > 1 else ""),
        ("Confidence", confidence),
        ("Next best", picture.second),
        ("Original", "" if picture.link else picture.place),
    ]
    shown = [[name, text] for name, text in rows if text]
    facts = {"caption": picture.caption, "link": picture.link, "rows": shown}
    return json.dumps(facts, ensure_ascii=False)


def _heat(crosstab: Crosstab) -> Mapping[str, Any]:
    """Return a table's cells with both shares, and each share in tenths for its shade."""
    of_column = [max(1, sum(column)) for column in zip(*crosstab.counts, strict=True)]
    rows = []
    for (cluster, title), counts in zip(crosstab.clusters, crosstab.counts, strict=True):
        total = max(1, sum(counts))
        cells = [
            {
                "count": count,
                "of_row": count / total,
                "of_column": count / column,
                "by_row": _tenths(count / total),
                "by_column": _tenths(count / column),
            }
            for count, column in zip(counts, of_column, strict=True)
        ]
        rows.append({"cluster": cluster, "title": title, "cells": cells})
    return {"column": crosstab.column, "headings": crosstab.values, "rows": rows[:_MOST_ROWS]}


def _tenths(share: float) -> int:
    return min(10, int(share * 10 + 0.999))


def _percent(share: float) -> str:
    """Return a share for people.

    >>> _percent(0.004), _percent(0.051), _percent(0.5), _percent(0.0)
    ('<1 %', '5 %', '50 %', '0 %')
    """
    if 0 < share < 0.01:
        return "<1 %"
    return f"{100 * share:.0f} %"


def _short(text: str) -> str:
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"
