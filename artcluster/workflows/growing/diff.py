"""Two runs compared: images that came, went and moved, clusters by lineage, and agreement."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from artcluster.config import Config
from artcluster.errors import UsageError
from artcluster.lineage.matching import Change, Overlap, best_kept_share, changes, match_clusters
from artcluster.metrics.agreement import adjusted_rand_index
from artcluster.schema import CLUSTER_NAMES
from artcluster.store import Store
from artcluster.workflows.clustering.run_pair import ImageChanges, RunView, run_pair
from artcluster.workflows.runs import Run, clusters_of_run, of_series


@dataclass(frozen=True)
class RunComparison:
    """What is other in a later run than in an earlier one.

    Attributes:
        images: What became of the images, counted in paths.
        ari: Adjusted Rand index of the two partitions of the contents that both cover; None where
            there is none.
        kept_share: Share of the common contents whose cluster has the same number; None where the
            numbers of the two have nothing to do with one another.
        best_share: The largest share that any one-to-one relabelling could reach.
        clusters: What became of each cluster, where the runs are of one series.
        matched: Cluster → the one that shares most with it, where they are not of one series.
        names: Name of each cluster that has one, by number, in the earlier run's series.
        moved: Images whose cluster has another number: path, old_cluster, new_cluster.
    """

    images: ImageChanges
    ari: float | None
    kept_share: float | None
    best_share: float | None
    clusters: tuple[Change, ...]
    matched: Mapping[int, int]
    names: Mapping[int, str]
    moved: tuple[Mapping[str, object], ...]

    @property
    def gone_names(self) -> list[tuple[int, str]]:
        """Clusters that have a name and are no more."""
        alive = {change.new_cluster for change in self.clusters}
        dead = {change.old_cluster for change in self.clusters} - alive
        return [(cluster, name) for cluster, name in self.names.items() if cluster in dead]


def compare_runs(
    store: Store, config: Config, old: Run, new: Run, *, moved_limit: int = 20
) -> RunComparison:
    """Compare two runs of one archive.

    Args:
        old: The earlier run.
        new: The later run.
        moved_limit: Moved images are listed up to so many.

    Raises:
        UsageError: They are of two archives.
    """
    if old.archive_id != new.archive_id:
        raise UsageError(
            f"run {old.run_id} is of the archive {old.archive_id}, run {new.run_id} of "
            f"{new.archive_id}: they have no images in common"
        )
    one_series = old.series == new.series
    with run_pair(store, config, _view(old), _view(new)) as pair:
        images = pair.images()
        found = pair.overlap(clusters_of_run(store, old.run_id), clusters_of_run(store, new.run_id))
        moved = pair.moved(moved_limit).to_pylist() if one_series else []
    common = bool(found.shared_AB.sum())
    return RunComparison(
        images=images,
        ari=adjusted_rand_index(found.shared_AB) if common else None,
        kept_share=_kept_share(found) if common and one_series else None,
        best_share=best_kept_share(found) if common else None,
        clusters=tuple(changes(found)) if one_series else (),
        matched={} if one_series else match_clusters(found),
        names=cluster_names(store, old.series),
        moved=tuple(moved),
    )


def cluster_names(store: Store, series: str) -> dict[int, str]:
    """Return the names of a series' clusters, those of clusters that are gone too."""
    rows: pa.Table = store.table(CLUSTER_NAMES).read(None, of_series(series)).sort_by("named_at")
    names = {row["cluster"]: row["name"] for row in rows.to_pylist()}
    return {cluster: name for cluster, name in sorted(names.items()) if name is not None}


def _kept_share(found: Overlap) -> float:
    same_AB = np.equal.outer(found.old_A, found.new_B)
    return float(found.shared_AB[same_AB].sum() / found.old_sizes_A.sum())


def _view(run: Run) -> RunView:
    return RunView(run.archive_id, run.scan_id, run.model_id)
