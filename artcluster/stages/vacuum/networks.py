"""Weights of networks that made no vectors: what sweeps and comparisons refined to measure it."""

from artcluster.embedders.contract import Contract
from artcluster.schema import EMBEDDERS, EMBEDDINGS
from artcluster.stages.embedder import weights_path
from artcluster.stages.vacuum.cleaning import Cleaning


def clean_networks(cleaning: Cleaning) -> None:
    """Remove weights of embedders that have no vectors, once no job can be about to make them.

    Those that settings name stay: a job that finds its settings there does not fetch them again.
    """
    days = cleaning.config.vacuum.keep_unfinished_days
    store = cleaning.store
    used = set(store.table(EMBEDDINGS).distinct("embedder_id"))
    used |= set(store.table(EMBEDDERS).read(["embedder_id"])["embedder_id"].to_pylist())
    for path in store.list("embedders/by-settings/"):
        used.add(Contract.from_json(store.read_bytes(path).decode()).embedder_id)
    named = {weights_path(embedder_id) for embedder_id in used}
    found = [
        entry
        for entry in cleaning.blobs.entries("embedders")
        if entry.path.endswith("/weights.safetensors") and entry.path not in named
    ]
    old = [entry for entry in found if cleaning.older(entry.modified_at, days=days)]
    cleaning.delete("weights of networks that made no vectors", old)
    if len(old) < len(found):
        cleaning.keep(f"weights of networks without vectors, for {days:g} days")
