"""The pages of a report, from their content to files that open from disk or any web server."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from artcluster.pages.atlas import Grid
from artcluster.pages.charts import histogram, line_chart
from artcluster.pages.content import Card, Chart, Crosstab, Overview, Picture, RejectGroup, RunLine
from artcluster.pages.findings import Findings
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
        overview: What every page's frame and the first page say.
        grid: Cells of the sheets that pictures on pages lie in.
        write: Where files go.
    """

    def __init__(self, overview: Overview, grid: Grid, write: Write) -> None:
        self._overview = overview
        self._grid = grid
        self._write = write
        environment = page_templates()
        environment.filters.update(
            number=lambda value: f"{value:,}",
            percent=_percent,
            counted=counted,
            lift=lambda value: f"{value:.1f}×",
            short=_short,
            key=cluster_key,
            page=cluster_page,
        )
        environment.globals.update(
            overview=overview,
            policy=POLICY,
            pages=_pages(overview),
            most_covers=MOST_COVERS,
            grid=grid,
            facts_of=_facts_of,
            shown={entry.cluster: entry.title for entry in overview.clusters},
        )
        self._environment = environment

    def assets(self) -> None:
        """Write styles and scripts."""
        folder = files("artcluster.pages") / "static"
        for name in _ASSETS:
            self._write(f"assets/{name}", (folder / name).read_bytes())
        rules = []
        for cluster, (light, dark) in self._overview.colours.items():
            rules.append(f".k-{cluster_key(cluster)}{{--light:{light};--dark:{dark}}}")
        self._write("assets/colours.css", "\n".join(rules).encode())

    def first_page(self) -> None:
        """Write the overview; last, as a report is there once its first page is."""
        self._page("index.html", "overview.html", page="overview")

    def card(self, card: Card) -> None:
        """Write a cluster's page."""
        self._page(
            cluster_page(card.entry.cluster),
            "card.html",
            page="card",
            root="../",
            lightbox=True,
            card=card,
            histogram=Markup(
                histogram(card.histogram, card.histogram_end, "confidence", self._overview.members)
            ),
        )

    def map(self) -> None:
        """Write the map's page; its data are written by whoever has the points."""
        self._page("map.html", "map.html", page="map")

    def distribution(self, crosstabs: Sequence[Crosstab]) -> None:
        """Write metadata over clusters, normalised both ways."""
        left_out = max(0, len(self._overview.clusters) - _MOST_ROWS)
        self._page(
            "distribution.html",
            "distribution.html",
            page="distribution",
            tables=[_heat(crosstab) for crosstab in crosstabs],
            clusters_left_out=left_out,
        )

    def runs(
        self, lines: Sequence[RunLine], columns: Sequence[str], charts: Sequence[Chart]
    ) -> None:
        """Write the table of runs and the curves over them."""
        drawn = [
            {"title": each.title, "text": each.text, "svg": Markup(line_chart(each))}
            for each in charts
        ]
        self._page("runs.html", "runs.html", page="runs", runs=lines, columns=columns, charts=drawn)

    def sweeps(self, all_findings: Sequence[Findings]) -> None:
        """Write what sweeps over the number of clusters found."""
        self._findings("sweeps", all_findings)

    def comparisons(self, all_findings: Sequence[Findings]) -> None:
        """Write what comparisons of methods found."""
        self._findings("comparisons", all_findings)

    def rejects(self, groups: Iterable[RejectGroup]) -> None:
        """Write the files that could not be used, and what to do about them."""
        self._page("rejects.html", "rejects.html", page="rejects", groups=list(groups))

    def _findings(self, page: str, all_findings: Sequence[Findings]) -> None:
        shown = [drawn(each) for each in all_findings]
        self._page(
            f"{page}.html", "findings.html", page=page, frame="frame.html", all_findings=shown
        )

    def _page(self, path: str, template: str, **values: Any) -> None:
        text = self._environment.get_template(template).render(**values)
        self._write(path, text.encode("utf-8", "replace"))


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


def _pages(overview: Overview) -> list[tuple[str, str, str]]:
    pages = [
        ("overview", "index.html", "Overview", True),
        ("map", "map.html", "Map", overview.has_map),
        ("distribution", "distribution.html", "Metadata", overview.has_crosstabs),
        ("runs", "runs.html", "Runs", overview.has_runs),
        ("sweeps", "sweeps.html", "Choosing k", overview.has_sweeps),
        ("comparisons", "comparisons.html", "Methods", overview.has_comparisons),
        ("rejects", "rejects.html", "Rejects", True),
    ]
    return [(key, file, text) for key, file, text, there in pages if there]


def _facts_of(picture: Picture) -> str:
    """Return what the enlarged view says of a picture, as JSON."""
    size = f"{picture.width:,} × {picture.height:,} px" if picture.width else ""
    sure = f"{picture.confidence:.2f}"
    if picture.remarks:
        sure += f" ({', '.join(picture.remarks)})"
    rows = [
        ("Number", picture.number),
        *picture.facts.items(),
        ("File", picture.path),
        ("Size", size),
        ("Copies", f"{picture.copies:,} files with the same bytes" if picture.copies > 1 else ""),
        ("Confidence", sure),
        ("Next best", picture.second),
        ("Original", "" if picture.link else picture.place),
    ]
    told = {
        "caption": picture.caption,
        "link": picture.link,
        "rows": [[name, text] for name, text in rows if text],
    }
    return json.dumps(told, ensure_ascii=False)


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
