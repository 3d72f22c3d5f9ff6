"""Writing down what became of a parent's clusters, and what people's edits make of it."""

from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artcluster.lineage.changes import changes
from artcluster.schema import CLUSTERS, LINEAGE
from artcluster.stages.edits import inherit_edits
from artcluster.stages.job import Job
from artcluster.stages.run_pair import RunView, run_pair
from artcluster.stages.series import RunRecord
from artcluster.store import Lease, Store


def record_lineage(
    job: Job, run_id: str, scan_id: int, model_id: str, parent: RunRecord, lease: Lease
) -> None:
    """Write the lineage of a run whose clusters are written, and the edits that follow from it.

    Args:
        job: What to work with.
        run_id: The run.
        scan_id: Its scan.
        model_id: Its model; every content is assigned.
        parent: The run that it follows.
        lease: On the archive's runs.
    """
    old = RunView(parent.archive_id, parent.scan_id, parent.model_id)
    new = RunView(parent.archive_id, scan_id, model_id)
    with run_pair(job.store, job.config, old, new) as pair:
        found = pair.overlap(clusters_of(job.store, parent.run_id), clusters_of(job.store, run_id))
    listed = changes(found)
    inherit_edits(job.store, parent.series, run_id, listed, lease.fence)
    rows = [{"run_id": run_id, **asdict(change)} for change in listed]
    job.store.append(LINEAGE, pa.Table.from_pylist(rows, LINEAGE.schema), lease.fence)


def clusters_of(store: Store, run_id: str) -> np.ndarray:
    """Return the numbers of a run's clusters, empty ones too."""
    rows = store.table(CLUSTERS).read(["cluster"], pc.field("run_id") == run_id)
    return np.sort(rows["cluster"].to_numpy())
