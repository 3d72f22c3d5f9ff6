"""What a cleaning found, for people and for machines."""

from dataclasses import asdict

from artcluster.cli.printing import in_bytes, new_console, print_json, print_table
from artcluster.stages.vacuum import VacuumSummary


def show_vacuum(summary: VacuumSummary, json_wanted: bool) -> None:
    """Print what goes, with counts and bytes, and what stays and why."""
    if json_wanted:
        print_json(asdict(summary))
        return
    console = new_console()
    rows = [
        (
            f"{removal.count:,} {removal.unit}",
            in_bytes(removal.size_bytes) if removal.size_bytes else "–",
            removal.why,
        )
        for removal in summary.removals
    ]
    if rows:
        total = sum(removal.size_bytes for removal in summary.removals)
        rows.append(("altogether", in_bytes(total), ""))
        title = "Would go (nothing was removed: --yes does it)" if summary.dry else "Removed"
        print_table(console, title, ("what", "bytes", "why"), rows)
    else:
        console.print("There is nothing to remove.\n")
    if summary.kept:
        print_table(console, "Stays", ("what, and why",), [(words,) for words in summary.kept])
