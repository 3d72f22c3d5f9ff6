"""The beginning of findings as people read it at a terminal."""

from rich.console import Console

from artcluster.cli.printing import new_console, print_rows, print_table
from artcluster.report.findings import Findings, Table
from artcluster.stages.findings_files import FindingsFiles

_COLUMNS = 5


def show_findings(findings: Findings, files: FindingsFiles, *, already: bool = False) -> None:
    """Print what came out, the first table, and where the rest lies."""
    console = new_console()
    first = findings.sections[0]
    for block in first.blocks:
        if isinstance(block, Table):
            _print_wide(console, block)
            if block.text:
                console.print(block.text, markup=False, style="dim")
    console.print()
    for point in first.points:
        console.print(f"- {point}", markup=False)
    console.print()
    rows = [("page", files.page), ("Markdown", files.markdown), ("JSON", files.data)]
    if files.table:
        rows.append(("CSV", files.table))
    print_rows(console, findings.title + (" (was made before)" if already else ""), rows)


def _print_wide(console: Console, table: Table) -> None:
    """Print a table a few columns at a time, each time with the first one."""
    for start in range(1, max(2, len(table.columns)), _COLUMNS):
        some = [0, *range(start, min(start + _COLUMNS, len(table.columns)))]
        rows = [tuple(row[column] for column in some) for row in table.rows]
        title = table.title if start == 1 else ""
        print_table(console, title, [table.columns[column] for column in some], rows)
