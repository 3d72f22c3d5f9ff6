"""Findings as Markdown, with their charts and maps as SVG files beside it."""

import re
from collections.abc import Mapping, Sequence

from artcluster.pages.atlas import Gallery
from artcluster.pages.charts import Points, line_chart, points_svg
from artcluster.pages.content import Chart
from artcluster.pages.findings import Bars, Block, Findings, FindingsTable, Heat, Maps, maps_svg

_SERIES = ("#7a2e1d", "#1f5c7a", "#5b6b1e", "#6a3a7c", "#8a6100", "#2c6b55")
_SERIES_ON_DARK = ("#e59a83", "#7fbbd9", "#b9c96f", "#c79ad8", "#e0b34d", "#7cc7ab")


def findings_markdown(findings: Findings, folder: str = "") -> tuple[str, Mapping[str, str]]:
    """Return the text of findings, and its figures by file name.

    Args:
        folder: Where the figures lie, relative to the text; '' beside it.
    """
    lines = [f"# {findings.title}", "", findings.lead, ""]
    figures: dict[str, str] = {}
    for section in findings.sections:
        lines += [f"## {section.title}", ""]
        lines += [section.text, ""] if section.text else []
        lines += [*(f"- {point}" for point in section.points), ""] if section.points else []
        for block in section.blocks:
            lines += _block(block, figures, folder)
    return "\n".join([*lines, findings.foot, ""]).rstrip() + "\n", figures


def _block(block: Block, figures: dict[str, str], folder: str) -> list[str]:
    if isinstance(block, Chart):
        name = _name(block.title, figures)
        figures[name] = _standalone(line_chart(block), [c.title for c in block.curves])
        return [f"![{block.title}]({folder}{name})", "", block.text, ""]
    if isinstance(block, Points):
        name = _name(block.title, figures)
        figures[name] = _standalone(points_svg(block), [])
        return [f"![{block.title}]({folder}{name})", "", block.text, ""]
    if isinstance(block, Gallery):
        order = f"Rows, top to bottom: {', '.join(block.rows)}."
        return [f"**{block.title}**", "", f"![{block.alt}]({folder}{block.file})", "", order, ""]
    if isinstance(block, Maps):
        name = _name("maps", figures)
        figures[name] = _standalone(maps_svg(block), [])
        return [f"![{block.text}]({folder}{name})", "", block.text, ""]
    head = [f"**{block.title}**", ""] if block.title else []
    tail = [block.text, ""] if block.text else []
    if isinstance(block, FindingsTable):
        cells = [
            [f"**{text}**" if (r, c) in block.best else text for c, text in enumerate(row)]
            for r, row in enumerate(block.rows)
        ]
        return [*head, *_rows(block.columns, cells), *tail]
    if isinstance(block, Bars):
        return [*head, *_rows(["", "images"], [(v, f"{n:,}") for v, n in block.items]), *tail]
    return [*head, *_heat(block), *tail]


def _heat(heat: Heat) -> list[str]:
    rows = [
        [name, *("" if cell is None else cell[0] for cell in cells)]
        for name, cells in zip(heat.rows, heat.cells, strict=True)
    ]
    return _rows([heat.corner, *heat.columns], rows)


def _rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(_plain(cell) for cell in cells) + " |"

    rule = "|" + "|".join(["---", *["---:"] * (len(columns) - 1)]) + "|"
    return [line(columns), rule, *map(line, rows), ""]


def _plain(text: str) -> str:
    """Return a cell's text, in which nothing is a bar, a tag or a new line."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def _name(title: str, taken: Mapping[str, str]) -> str:
    """Return a file name of a title's words that is not taken."""
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "figure"
    number, name = 1, f"{words}.svg"
    while name in taken:
        number += 1
        name = f"{words}-{number}.svg"
    return name


_STYLE = (
    "svg{font:12px system-ui,sans-serif;background:#fff}.grid{stroke:#e2ded6;fill:none}"
    ".tick{fill:#655f57;font-size:12px}.mid{text-anchor:middle}.end{text-anchor:end}"
    ".line{fill:none;stroke-width:2}.mark{fill:#fff;stroke-width:2}"
    ".d1{stroke-dasharray:7 4}.d2{stroke-dasharray:2 3}.mark{stroke-dasharray:none}"
)


def _standalone(svg: str, legend: Sequence[str]) -> str:
    """Return an SVG file: with its own style, for light and dark, and a legend inside."""
    svg = svg.partition("<ul")[0]
    light = "".join(f".s{n}{{stroke:{colour}}}" for n, colour in enumerate(_SERIES))
    dark = "".join(f".s{n}{{stroke:{colour}}}" for n, colour in enumerate(_SERIES_ON_DARK))
    style = (
        f"{_STYLE}{light}@media(prefers-color-scheme:dark){{svg{{background:#161513}}"
        f".grid{{stroke:#36332e}}.tick{{fill:#a49d92}}.mark{{fill:#161513}}{dark}}}"
    )
    opening, viewbox, rest = re.split(r'(viewBox="[^"]+")', svg, maxsplit=1)
    width, height = (float(number) for number in viewbox[9:-1].split()[2:])
    entries = []
    for number, title in enumerate(legend):
        column, row = number % 3, number // 3
        x, y = 64 + column * 190, height + 14 + row * 18
        entries.append(
            f'<path class="line s{number % 6} d{number // 6 % 3}" d="M{x} {y - 4}h24"/>'
            f'<text class="tick" x="{x + 30}" y="{y}">{_escaped(title)}</text>'
        )
    whole = height + (18 * ((len(legend) + 2) // 3) + 8 if legend else 0)
    opening = opening.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"')
    body = rest.replace(">", f"><style>{style}</style>", 1).removesuffix("</svg>")
    return f'{opening}viewBox="0 0 {width:g} {whole:g}"{body}{"".join(entries)}</svg>\n'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
