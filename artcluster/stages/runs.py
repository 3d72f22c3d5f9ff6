"""Runs: the record of a finished clustering, written last and read back whole."""

import json
from collections.abc import Sequence

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
    metrics, training = json.loads(run["metrics"]), json.loads(models[0]["training"])
    return ClusterSummary(
        run_id=run_id,
        model_id=model_id,
        archive_id=run["archive_id"],
        method=models[0]["method"],
        k=models[0]["k"],
        images=run["images"],
        contents=metrics["contents"],
        sizes=sizes,
        metrics=metrics,
        verdict=training["verdict"],
        already=True,
        merges=_numbered(store, models[0]["path"], training.get("merges", [])),
    )


def _numbered(
    store: Store, folder: str, merges: Sequence[tuple[int, int, float]]
) -> tuple[tuple[int, int, float], ...]:
    """Return merges by the clusters' numbers, which a refit may have changed since."""
    if not merges:
        return ()
    numbers = json.loads(store.read_bytes(f"{folder}/model.json"))["numbers"]
    return tuple((numbers[one], numbers[other], height) for one, other, height in merges)
