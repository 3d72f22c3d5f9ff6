"""Runs: the record of a finished clustering, written last and read back whole."""

import json

import pyarrow.compute as pc

from artcluster.schema import CLUSTERS, MODELS, RUNS
from artcluster.stages.summary import ClusterSummary
from artcluster.store import Store


def finished_run(store: Store, run_id: str) -> ClusterSummary | None:
    """Return a run that exists, as the store has it."""
    rows = store.table(RUNS).read(None, pc.field("run_id") == run_id).to_pylist()
    if not rows:
        return None
    run = rows[0]
    model_id = run["model_id"]
    models = store.table(MODELS).read(None, pc.field("model_id") == model_id).to_pylist()
    clusters = store.table(CLUSTERS).read(["cluster", "size"], pc.field("run_id") == run_id)
    sizes = {row["cluster"]: row["size"] for row in clusters.to_pylist()}
    return ClusterSummary(
        run_id=run_id,
        model_id=model_id,
        archive_id=run["archive_id"],
        method=models[0]["method"],
        k=models[0]["k"],
        images=run["images"],
        contents=sum(sizes.values()),
        sizes=sizes,
        metrics=json.loads(run["metrics"]),
        verdict=json.loads(models[0]["training"])["verdict"],
        already=True,
    )
