"""What can be set about cleaning a store up."""

from typing import Annotated

from pydantic import Field

from artcluster.config.base import Settings


class VacuumSettings(Settings):
    """What is kept. A run goes only where none of the rules keeps it."""

    keep_runs: Annotated[int, Field(ge=1)] = 30
    """The last so many runs of each archive are kept …"""
    keep_days: Annotated[float, Field(ge=0)] = 90.0
    """… and those younger than this. Runs with names or edits that people made are always kept."""
    keep_files_hours: Annotated[float, Field(ge=0)] = 24.0
    """A file that no longer counts stays so long, for jobs and readers that began before: longer
    than the longest of them. 0 is for a store that nobody reads meanwhile."""
    keep_unfinished_days: Annotated[float, Field(ge=0)] = 7.0
    """What a job left unfinished stays so long: models without a run, checkpoints, pixels."""
    merge_files: Annotated[int, Field(ge=2)] = 16
    """So many small files of a table or partition are merged …"""
    small_file_bytes: Annotated[int, Field(gt=0)] = 32 << 20
    """… which are smaller than this …"""
    merged_file_bytes: Annotated[int, Field(gt=0)] = 128 << 20
    """… into files of about this size, which fits into memory a few times over."""
