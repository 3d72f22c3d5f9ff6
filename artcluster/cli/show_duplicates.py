"""Pictures that are there more than once, as a table and as CSV."""

from collections.abc import Iterator
from dataclasses import asdict, fields

from artcluster.cli.printing import new_console, print_rows, print_table
from artcluster.stages.duplicates import Copy, Duplicates


def show_duplicates(found: Duplicates, rows: int) -> None:
    """Print what was found, and the first groups."""
    console = new_console()
    exact = sum(group.kind == "exact" for group in found.groups)
    summary = [
        ("images", f"{found.images:,} ({found.contents:,} distinct)"),
        ("groups of exact copies", f"{exact:,}"),
        ("groups of near copies", f"{len(found.groups) - exact:,} (by {found.by})"),
    ]
    if found.unread:
        summary.append(("could not be read", f"{found.unread:,}, left out of the comparison"))
    print_rows(console, f"Duplicates in {found.archive_id}", summary)
    shown = found.groups[:rows]
    table = [
        (
            str(number) if copy is group.copies[0] else "",
            group.kind if copy is group.copies[0] else "",
            copy.path,
            f"{copy.width} x {copy.height}",
            "–" if copy.distance is None else f"{copy.distance:.4f}",
            "–" if copy.hash_bits is None else str(copy.hash_bits),
        )
        for number, group in enumerate(shown, 1)
        for copy in group.copies
    ]
    if table:
        columns = ("group", "kind", "path", "pixels", "distance", "bits")
        print_table(console, "Largest groups", columns, table)
    if len(shown) < len(found.groups):
        console.print(f"{len(found.groups) - len(shown):,} more groups: --rows N, --csv or --json.")


def csv_rows(found: Duplicates) -> Iterator[list[object]]:
    """Yield the header and a row a path."""
    yield ["group", "kind", *(field.name for field in fields(Copy))]
    for number, group in enumerate(found.groups, 1):
        for copy in group.copies:
            yield [number, group.kind, *asdict(copy).values()]
