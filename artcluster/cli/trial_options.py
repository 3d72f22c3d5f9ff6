"""What sweeps and comparisons are told alike, read into what their stages take."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.stages.job import Job
from artcluster.stages.label_groups import LabelChoice, parse_top, read_mapping
from artcluster.stages.trials.entry import Preset


def preset_of(folder: str | None, overrides: Sequence[str]) -> Preset:
    """Return the presets of a folder, over which `--set` of the command line holds.

    Raises:
        UsageError: There is no such folder.
    """
    if folder is not None and not Path(folder).is_dir():
        raise UsageError(f"--presets: there is no folder {folder}")
    given = []
    for override in overrides:
        name, _, text = override.partition("=")
        if name.startswith(("embed.", "cluster.")):
            given.append((name, yaml.safe_load(text)))
    return Preset(None if folder is None else Path(folder), tuple(given))


def findings_place(job: Job, name: str, out: str | None) -> Location:
    """Return the folder for files of findings: the one asked for, or one in the store."""
    if out is not None:
        return Location.parse(out, job.config.store.options)
    return job.store.location.child(f"findings/{name}")


def labels_chosen(
    columns: Sequence[str], maps: Sequence[str], tops: Sequence[str], options: Mapping[str, str]
) -> LabelChoice:
    """Return the labels that --label, --map and --top ask for.

    Raises:
        UsageError: One of them is not as expected, or a mapping's file is not.
    """
    mapped = []
    for text in maps:
        column, equals, file = text.partition("=")
        if not equals or not file:
            raise UsageError(f"--map: expected COLUMN=FILE such as style=periods.csv, got {text!r}")
        mapped.append(read_mapping(column, file, options))
    return LabelChoice(tuple(columns), tuple(mapped), dict(map(parse_top, tops)))
