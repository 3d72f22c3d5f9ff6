"""Naming clusters, merging them, moving images, and undoing: the verbs behind `name` and `edit`."""

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pyarrow as pa

from artcluster.archive.database import quoted
from artcluster.config import Config
from artcluster.errors import UsageError
from artcluster.schema import CLUSTER_NAMES, EDITS
from artcluster.store import Fence, Store
from artcluster.store.clock import next_time, warn_of_future
from artcluster.workflows.archives import open_tables
from artcluster.workflows.curation.edits import Edit, Edits, append_rows, read_edits, rows_of
from artcluster.workflows.curation.zero_shot_names import read_word_names
from artcluster.workflows.runs import Run, choose_run, clusters_of_run, of_series


@dataclass(frozen=True)
class ShownCluster:
    """A cluster as people see it: with their merges and moves, under its name.

    Attributes:
        suggested: The name that words suggest, where they were asked for.
    """

    cluster: int
    name: str | None
    images: int
    suggested: str | None = None


class Curation:
    """One run's clusters, for a person to name and to edit.

    What is said holds for all runs of the run's series, those to come too.

    Args:
        config: Limits, and terms of the lease.
        archive_id: Which archive; None for the only one.
        run_id: Which run; None for the last.
        who: Whom to write down; by default the user of this computer.

    Raises:
        UsageError: There is no such archive or run.
    """

    def __init__(
        self,
        store: Store,
        config: Config,
        archive_id: str | None = None,
        run_id: str | None = None,
        who: str | None = None,
    ) -> None:
        self.run: Run = choose_run(store, run_id, archive_id)
        self._store = store
        self._config = config
        self._who = who or getpass.getuser()

    def clusters(self) -> list[ShownCluster]:
        """Return the clusters as they are shown, by number."""
        with open_tables(self._store, self._config, "latest", run_id=self.run.run_id) as tables:
            rows = tables.sql(
                "select cluster, any_value(cluster_name), count(*) from latest "
                "where cluster is not null group by cluster"
            ).fetchall()
            names = dict(tables.sql("select cluster, name from current_names").fetchall())
        found = {cluster: ShownCluster(cluster, name, images) for cluster, name, images in rows}
        for cluster in self._visible(self.edits()):
            found.setdefault(cluster, ShownCluster(cluster, names.get(cluster), 0))
        words = read_word_names(self._store, self.run.series)
        return [
            replace(found[cluster], suggested=words[cluster].name or None)
            if cluster in words
            else found[cluster]
            for cluster in sorted(found)
        ]

    def edits(self) -> Edits:
        """Return the edits of the run's series."""
        return read_edits(self._store, self.run.series)

    def name(self, cluster: int, name: str | None) -> None:
        """Name a cluster, or take its name away.

        Raises:
            UsageError: There is no such cluster, or the name is empty.
        """
        self._check(self.edits(), cluster)
        if name is not None and not name.strip():
            raise UsageError("the name is empty: give some letters, or --remove to take one away")
        named_at = next_time(self._store, CLUSTER_NAMES, "named_at", of_series(self.run.series))
        warn_of_future(named_at, "The last name")
        row = {
            "run_id": self.run.run_id,
            "series": self.run.series,
            "cluster": cluster,
            "name": name and name.strip(),
            "who": self._who,
            "named_at": named_at,
        }
        table = pa.Table.from_pylist([row], CLUSTER_NAMES.schema)
        self._store.append(CLUSTER_NAMES, table)

    def merge(self, cluster: int, into: int) -> Edit:
        """Show a cluster, and all that is shown as it, as another.

        Raises:
            UsageError: There is no such cluster, or they are one already.
        """
        if cluster == into:
            raise UsageError(f"cluster {cluster} cannot be merged into itself")
        with self._writing() as (edits, fence):
            self._check(edits, cluster)
            self._check(edits, into)
            return self._write(edits, fence, kind="merge", cluster=cluster, shown_cluster=into)

    def move(self, path: str, into: int) -> Edit:
        """Show an image in a cluster, whatever the models say of it.

        The image is known by its content: it stays there where the file is renamed, and a file
        that is replaced by another picture does not.

        Raises:
            UsageError: There is no such image or cluster, or the image has several faces.
        """
        with self._writing() as (edits, fence):
            self._check(edits, into)
            content_id = self._content(path)
            return self._write(
                edits, fence, kind="move", content_id=content_id, path=path, shown_cluster=into
            )

    def undo(self, edit_id: str | None = None) -> Edit:
        """Undo an edit, by default the last one that holds; return what was undone.

        Raises:
            UsageError: There is no such edit, or it is undone already.
        """
        with self._writing() as (edits, fence):
            mine = [edit for edit in edits.active if edit.kind in ("merge", "move")]
            fitting = [edit for edit in mine if edit_id in (None, edit.edit_id)]
            if not fitting:
                known = ", ".join(edit.edit_id for edit in mine)
                raise UsageError(
                    f"there is no edit {edit_id!r} that holds; those that do: {known or 'none'}"
                    if edit_id
                    else "there is no edit to undo"
                )
            undone = fitting[-1]
            self._write(
                edits,
                fence,
                kind="undo",
                cluster=undone.cluster,
                content_id=undone.content_id,
                path=undone.path,
                of_edit=undone.edit_id,
            )
            return undone

    @contextmanager
    def _writing(self) -> Iterator[tuple[Edits, Fence]]:
        """Hold the right to edit the series; yields its edits as they are now."""
        settings = self._config.store
        name = f"edits={self.run.series}"
        ttl_s, wait_s = settings.lease_ttl_s, settings.lease_wait_s
        with self._store.lease(name, [EDITS], ttl_s=ttl_s, wait_s=wait_s) as lease:
            yield self.edits(), lease.fence

    def _write(self, edits: Edits, fence: Fence, **what: Any) -> Edit:
        edit = Edit(uuid4().hex[:12], self.run.series, self.run.run_id, who=self._who, **what)
        append_rows(self._store, rows_of(edits, edit), fence)
        return edit

    def _visible(self, edits: Edits) -> Sequence[int]:
        clusters = {*clusters_of_run(self._store, self.run.run_id).tolist()}
        targets = {edit.shown_cluster for edit in edits.active if edit.shown_cluster is not None}
        return sorted((clusters | targets) - edits.shown_clusters.keys())

    def _check(self, edits: Edits, cluster: int) -> None:
        shown = edits.shown_clusters
        if cluster in shown:
            raise UsageError(
                f"cluster {cluster} is shown as {shown[cluster]}: say that number, or undo the "
                "merge first"
            )
        visible = self._visible(edits)
        if cluster not in visible:
            raise UsageError(
                f"run {self.run.run_id} has no cluster {cluster}; it has "
                f"{', '.join(map(str, visible))}"
            )

    def _content(self, path: str) -> str:
        with open_tables(self._store, self._config, "latest", run_id=self.run.run_id) as tables:
            found = tables.sql(
                "select content_id from latest where model_cluster is not null "
                f"and path = {quoted(path)}"
            ).fetchall()
        if len(found) > 1:
            raise UsageError(
                f"{path!r} has {len(found)} faces in run {self.run.run_id}, and a move would take "
                "them all: single faces cannot be moved. Whole clusters can be merged"
            )
        if not found:
            raise UsageError(
                f"run {self.run.run_id} has no image {path!r}: give its path as the store has it, "
                "relative to the archive"
            )
        return str(found[0][0])
