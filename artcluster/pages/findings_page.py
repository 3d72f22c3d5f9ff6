"""Findings as a page: one file that needs no other, or a page among a report's."""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from artcluster.pages.atlas import Gallery, gallery_uri
from artcluster.pages.charts import Points, line_chart, points_svg
from artcluster.pages.content import Chart
from artcluster.pages.findings import (
    Bars,
    Findings,
    FindingsTable,
    Heat,
    Maps,
    Section,
    scatter_svg,
)
from artcluster.pages.templates import content_hash, page_templates


def findings_html(findings: Findings) -> bytes:
    """Return findings as one file, whose policy lets in its own style and script alone.

    Style and script are named in the policy by their hashes.
    """
    folder = files("artcluster.pages") / "static"
    style = (folder / "style.css").read_text("utf-8")
    script = (folder / "page.js").read_text("utf-8")
    policy = (
        f"default-src 'none'; script-src '{content_hash(script)}'; "
        f"style-src '{content_hash(style)}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    environment = page_templates()
    environment.filters["findings"] = drawn
    page = environment.get_template("findings.html").render(
        frame="alone.html",
        page="findings",
        policy=policy,
        style=Markup(style),
        script=Markup(script),
        all_findings=[findings],
    )
    return page.encode("utf-8", "replace")


def drawn(findings: Findings) -> dict[str, Any]:
    """Return the parts of findings as the template takes them."""
    return {
        "title": findings.title,
        "lead": findings.lead,
        "foot": findings.foot,
        "sections": [_section(section) for section in findings.sections],
    }


def _section(section: Section) -> dict[str, Any]:
    return {
        "title": section.title,
        "text": section.text,
        "points": section.points,
        "blocks": [_DRAW[type(block)](block) for block in section.blocks],
    }


def _table(table: FindingsTable) -> dict[str, Any]:
    rows = [
        [(text, (row, column) in table.best) for column, text in enumerate(cells)]
        for row, cells in enumerate(table.rows)
    ]
    return {"kind": "table", "table": table, "rows": rows}


def _bars(bars: Bars) -> dict[str, Any]:
    most = max((count for _, count in bars.items), default=1)
    return {"kind": "bars", "bars": bars, "svgs": [_bar(count / most) for _, count in bars.items]}


def _bar(share: float) -> Markup:
    return Markup(
        '<svg class="bar-line" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="bar" width="{max(0.5, 100 * share):.1f}" height="10"/></svg>'
    )


def _heat(heat: Heat) -> dict[str, Any]:
    cells = [
        [None if cell is None else (cell[0], min(10, round(10 * cell[1]))) for cell in row]
        for row in heat.cells
    ]
    return {"kind": "heat", "heat": heat, "cells": cells}


def _maps(maps: Maps) -> dict[str, Any]:
    def cell(row: int, column: int) -> Markup | None:
        scatter = maps.cells.get((row, column))
        if scatter is None:
            return None
        return Markup(scatter_svg(scatter, f"{maps.rows[row]}, {maps.columns[column]}"))

    grid = [
        [cell(row, column) for column in range(len(maps.columns))] for row in range(len(maps.rows))
    ]
    return {"kind": "maps", "maps": maps, "grid": grid}


def _chart(chart: Chart) -> dict[str, Any]:
    return {"kind": "chart", "chart": chart, "svg": Markup(line_chart(chart))}


def _points(points: Points) -> dict[str, Any]:
    return {"kind": "chart", "chart": points, "svg": Markup(points_svg(points))}


def _gallery(gallery: Gallery) -> dict[str, Any]:
    return {"kind": "gallery", "gallery": gallery, "uri": gallery_uri(gallery)}


_DRAW: dict[type, Callable[[Any], dict[str, Any]]] = {
    FindingsTable: _table,
    Bars: _bars,
    Heat: _heat,
    Maps: _maps,
    Chart: _chart,
    Points: _points,
    Gallery: _gallery,
}
