"""Exports of a run for other programs, one file per program.

To add one, write a module with a function `write(export, out)` that returns what to do with the
file, and add a record to `TARGETS`. Light to import: the command line takes its choices from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from artcluster.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from artcluster.workflows.viewing.exports.rows import Export


@dataclass(frozen=True)
class ExportTarget:
    """A program to export for."""

    module: str
    endings: tuple[str, ...]


TARGETS = {
    "embedding-atlas": ExportTarget("embedding_atlas", (".parquet",)),
    "fiftyone": ExportTarget("fiftyone", (".json",)),
    "csv": ExportTarget("table", (".csv", ".parquet")),
}


def write_export(name: str, export: Export, out: Path) -> str:
    """Write a file for a program; return what to do with it.

    Raises:
        UsageError: The file has another ending, or the program cannot take these images.
    """
    target = TARGETS[name]
    if out.suffix.lower() not in target.endings:
        endings = " or ".join(target.endings)
        raise UsageError(f"--out: expected a file ending in {endings}, got {str(out)!r}")
    advice: str = import_module(f"{__name__}.{target.module}").write(export, out)
    return advice
