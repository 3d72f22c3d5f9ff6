"""What people say of clusters: merges, moved images, undoing; facts that are only ever added.

An edit is a row; where it changes what other clusters are shown as, it has a `follow` row for each
of them. So readers need no more than the latest row of a cluster or an image.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from artcluster.lineage.matching import Change
from artcluster.schema import EDITS
from artcluster.store import Fence, Store
from artcluster.store.clock import time_after, warn_of_future
from artcluster.workflows.runs import read_runs

_NEVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Edit:
    """One row of the edits table; fields as its columns."""

    edit_id: str
    series: str
    run_id: str
    kind: str
    cluster: int | None = None
    content_id: str | None = None
    path: str | None = None
    shown_cluster: int | None = None
    of_edit: str | None = None
    who: str | None = None
    edited_at: datetime = _NEVER


@dataclass(frozen=True)
class Edits:
    """The edits of one series, oldest first, without what they led to for others.

    Attributes:
        made: Merges, moves and undoings; inherited merges of runs that exist.
        last_at: Time of the last row of all, also of those that are not among these.
    """

    made: tuple[Edit, ...]
    last_at: datetime = _NEVER

    @property
    def undone(self) -> frozenset[str]:
        """Edits that were undone."""
        return frozenset(edit.of_edit or "" for edit in self.made if edit.kind == "undo")

    @property
    def active(self) -> list[Edit]:
        """Merges and moves that hold: neither they nor what they were inherited from is undone."""
        undone = self.undone
        return [
            edit
            for edit in self.made
            if edit.kind != "undo" and not undone & {edit.edit_id, edit.of_edit}
        ]

    @property
    def shown_clusters(self) -> dict[int, int]:
        """Cluster → the one that it is shown as, for those that are shown as another."""
        shown: dict[int, int] = {}
        for edit in self.active:
            if edit.cluster is None or edit.shown_cluster is None:
                continue
            into = shown.get(edit.shown_cluster, edit.shown_cluster)
            shown |= {each: into for each, other in shown.items() if other == edit.cluster}
            shown[edit.cluster] = into
        return shown

    @property
    def moved_images(self) -> dict[str, int]:
        """content_id → the cluster that an image was moved to."""
        return {
            edit.content_id: edit.shown_cluster
            for edit in self.active
            if edit.content_id is not None and edit.shown_cluster is not None
        }

    def and_then(self, edit: Edit) -> "Edits":
        """Return these and one more."""
        last_at = max(self.last_at, edit.edited_at)
        return replace(self, made=(*self.made, edit), last_at=last_at)


def read_edits(store: Store, series: str) -> Edits:
    """Return the edits of a series."""
    rows = store.table(EDITS).read(None, pc.field("series") == series).to_pylist()
    runs = {run.run_id for run in read_runs(store)}
    made = [Edit(**row) for row in rows if row["kind"] != "follow"]
    made = [edit for edit in made if edit.kind != "inherit" or edit.run_id in runs]
    last_at = max((row["edited_at"] for row in rows), default=_NEVER)
    warn_of_future(last_at, "The last edit")
    return Edits(tuple(sorted(made, key=lambda edit: edit.edited_at)), last_at)


def rows_of(before: Edits, edit: Edit) -> list[Edit]:
    """Return the rows that an edit comes to: itself, and what it changes for others.

    >>> first = Edit("a", "s", "r", "merge", cluster=3, shown_cluster=7)
    >>> second = Edit("b", "s", "r", "merge", cluster=7, shown_cluster=2)
    >>> rows = rows_of(Edits((first,)), second)
    >>> [(row.kind, row.cluster, row.shown_cluster) for row in rows]
    [('merge', 7, 2), ('follow', 3, 2)]
    >>> undo = Edit("c", "s", "r", "undo", cluster=3, of_edit="a")
    >>> [(row.kind, row.cluster, row.shown_cluster) for row in rows_of(Edits((first,)), undo)]
    [('undo', 3, None)]
    """
    after = before.and_then(edit)
    at = time_after(before.last_at)
    if edit.content_id is not None:
        return [replace(edit, shown_cluster=after.moved_images.get(edit.content_id), edited_at=at)]
    old, new = before.shown_clusters, after.shown_clusters
    assert edit.cluster is not None
    others = [each for each in sorted(old.keys() | new.keys()) if old.get(each) != new.get(each)]
    return [
        replace(edit, shown_cluster=new.get(edit.cluster), edited_at=at),
        *(
            replace(edit, kind="follow", cluster=each, shown_cluster=new.get(each), edited_at=at)
            for each in others
            if each != edit.cluster
        ),
    ]


def append_rows(store: Store, rows: Sequence[Edit], fence: Fence | None) -> None:
    """Write rows, all in one commit."""
    table = pa.Table.from_pylist([asdict(row) for row in rows], EDITS.schema)
    store.append(EDITS, table, fence)


def inherit_edits(
    store: Store, series: str, run_id: str, changes: Iterable[Change], fence: Fence | None
) -> None:
    """Write the merges that a run's lineage calls for; they hold once the run is there.

    A cluster that split off one that people merged into another is shown as that one, too. Where
    a cluster that people put others or images into was itself merged by the refit, its heir takes
    its place.
    """
    edits = read_edits(store, series)
    shown, targets = edits.shown_clusters, {edit.shown_cluster for edit in edits.active}
    inherited: list[tuple[int, int, str]] = []
    for change in changes:
        old, new = change.old_cluster, change.new_cluster
        if old is None or new is None:
            continue
        if change.kind == "split" and old in shown:
            inherited.append((new, shown[old], _because(edits.active, cluster=old)))
        elif change.kind == "merged" and old in targets and old not in shown:
            inherited.append((old, shown.get(new, new), _because(edits.active, into=old)))
    for cluster, into, because in inherited:
        name = hashlib.sha256(f"{run_id} {cluster} {into}".encode()).hexdigest()[:12]
        edit = Edit(name, series, run_id, "inherit", cluster=cluster, shown_cluster=into)
        rows = rows_of(edits, replace(edit, of_edit=because, who="artcluster"))
        # What follows holds no sooner than the run, either.
        append_rows(store, [replace(row, kind="inherit") for row in rows], fence)
        edits = edits.and_then(rows[0])


def _because(active: Sequence[Edit], *, cluster: int | None = None, into: int | None = None) -> str:
    """Return the edit that a cluster is shown by, or that first put something into one."""
    for edit in active:
        if (cluster is not None and edit.cluster == cluster) or (
            into is not None and edit.shown_cluster == into
        ):
            return edit.of_edit or edit.edit_id
    raise AssertionError
