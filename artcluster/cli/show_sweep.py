"""A sweep as people read it at a terminal."""

from artcluster.cli.printing import new_console, print_rows, print_table
from artcluster.stages.findings_files import FindingsFiles
from artcluster.stages.sweep import Sweep
from artcluster.stages.sweep_findings import SWEEP_COLUMNS, sweep_table


def show_sweep(made: Sweep, files: FindingsFiles) -> None:
    """Print the table and the recommendation."""
    console = new_console()
    sample = f" of {made.sampled_from:,}, a sample" if made.points < made.sampled_from else ""
    table = sweep_table(made)
    rows = [
        (cells[0] + (" *" if row["recommended"] else ""), *cells[1:])
        for cells, row in zip(table.rows, made.rows, strict=True)
    ]
    title = f"{made.method} on {made.points:,} images{sample}, vectors of {made.embedder_id}"
    print_table(console, title, SWEEP_COLUMNS, rows)
    print_rows(
        console,
        f"Sweep {made.sweep_id}" + (" (was made before)" if made.already else ""),
        [("recommended", f"k = {made.recommended}"), ("why", made.reason), ("open", files.page)],
    )
