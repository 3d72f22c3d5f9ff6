"""Labels as a comparison wants them: values grouped by a file, rare ones pooled or left out."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from artcluster.archive.fetch import Fetcher
from artcluster.errors import ArchiveError, UsageError
from artcluster.location import Location
from artcluster.workflows.clustering.labels import check_labels, labels_of
from artcluster.workflows.job import Job

OTHERS = "others"


Labels = dict[str, list[str | None]]


@dataclass(frozen=True)
class Mapped:
    """Values of a column grouped under another name.

    Attributes:
        name: What the groups are called.
        groups: From value to group; a value that is not here has no label.
    """

    column: str
    name: str
    groups: Mapping[str, str]


@dataclass(frozen=True)
class Top:
    """The most frequent values of a label.

    Attributes:
        count: So many are kept.
        pool: Whether the rest becomes `others`; else it has no label.
    """

    count: int
    pool: bool = True


@dataclass(frozen=True)
class LabelChoice:
    """Which labels clusters are compared with. Images without a value take no part.

    Attributes:
        mapped: Further labels, made of columns by files.
        top: By label, what is kept of its values.
    """

    columns: Sequence[str] = ()
    mapped: Sequence[Mapped] = ()
    top: Mapping[str, Top] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The labels, in the order that they were asked for."""
        return list(dict.fromkeys([*self.columns, *(each.name for each in self.mapped)]))

    def facts(self) -> dict[str, object]:
        """Return what decides the labels, as JSON has it."""
        return {
            "columns": list(self.columns),
            "mapped": [[m.column, m.name, dict(m.groups)] for m in self.mapped],
            "top": {name: [top.count, top.pool] for name, top in self.top.items()},
        }

    def check(self, job: Job) -> None:
        """Make sure that the columns are there, and that what is cut is a label.

        Raises:
            UsageError: They are not.
        """
        check_labels(job.store, [*self.columns, *(each.column for each in self.mapped)])
        for name in self.top:
            if name not in self.names:
                have = ", ".join(self.names) or "none"
                raise UsageError(f"--top {name}: no such label was asked for; there are: {have}")

    def of(self, job: Job, archive_id: str, content_ids: pa.Array) -> Labels:
        """Return a label for each content, None where it has none."""
        columns = list(dict.fromkeys([*self.columns, *(each.column for each in self.mapped)]))
        by_column = labels_of(job, archive_id, columns, content_ids)
        labels: Labels = {name: _cleaned(by_column[name]) for name in self.columns}
        for each in self.mapped:
            values = _cleaned(by_column[each.column])
            labels[each.name] = [None if v is None else each.groups.get(v) for v in values]
        for name, top in self.top.items():
            labels[name] = keep_top(labels[name], top)
        return labels


def keep_top(values: Sequence[str | None], top: Top) -> list[str | None]:
    """Keep the most frequent values; of equally frequent ones those that sort first.

    >>> keep_top(["a", "a", "b", "c", None], Top(1))
    ['a', 'a', 'others', 'others', None]
    >>> keep_top(["a", "a", "b", None], Top(1, pool=False))
    ['a', 'a', None, None]
    """
    counts = Counter(value for value in values if value is not None)
    kept = sorted(counts, key=lambda value: (-counts[value], value))[: top.count]
    rest = OTHERS if top.pool else None
    return [None if v is None else v if v in kept else rest for v in values]


def read_mapping(column: str, file: str, options: Mapping[str, str]) -> Mapped:
    """Read a CSV of two columns: a value, and the group it belongs to.

    The second column's heading names the label.

    Raises:
        UsageError: There is no such file, it is not so, or a value is in two groups.
    """
    location = Location.parse(file, dict(options))
    try:
        fetched = Fetcher(location).fetch(location.uri)
    except ArchiveError:
        fetched = None
    if fetched is None or fetched.outcome != "ok":
        raise UsageError(f"--map: there is no file at {location}")
    try:
        rows = list(csv.reader(io.StringIO(fetched.data.decode("utf-8-sig"))))
    except UnicodeDecodeError as wrong:
        raise UsageError(f"--map {file}: not a CSV in UTF-8: {wrong}") from None
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if len(rows) < 2 or any(len(row) != 2 for row in rows):
        raise UsageError(
            f"--map {file}: expected rows of two columns, a value of {column} and its group, under "
            f"headings such as `{column},period`"
        )
    groups: dict[str, str] = {}
    for value, group in ((a.strip(), b.strip()) for a, b in rows[1:]):
        if groups.setdefault(value, group) != group:
            raise UsageError(
                f"--map {file}: {value!r} is in {groups[value]!r} and in {group!r}: keep one"
            )
    name = rows[0][1].strip()
    return Mapped(column, f"{column} by group" if name in ("", column) else name, groups)


def parse_top(text: str) -> tuple[str, Top]:
    """Read `LABEL=N`, where the rest is pooled, or `LABEL=N,drop`.

    Raises:
        UsageError: It is not so.

    >>> parse_top("style=10,drop")
    ('style', Top(count=10, pool=False))
    """
    name, equals, rest = text.rpartition("=")
    count, comma, how = rest.partition(",")
    if not equals or not count.isdigit() or not int(count) or (comma and how != "drop"):
        raise UsageError(f"--top: expected LABEL=N or LABEL=N,drop such as genre=10, got {text!r}")
    return name, Top(int(count), pool=not comma)


def _cleaned(values: Sequence[str | None]) -> list[str | None]:
    return [value.strip() or None if value is not None else None for value in values]
