"""A model with the embedder it needs, wherever their files lie: in a store, or packaged."""

from dataclasses import dataclass

import pyarrow.compute as pc

from artcluster.clustering.model import ClusterModel
from artcluster.errors import UsageError
from artcluster.schema import MODELS, RUNS
from artcluster.stages.assignments import load_model
from artcluster.stages.embedder import Files, ReadyEmbedder, read_embedder
from artcluster.store import Store


@dataclass(frozen=True)
class Artefact:
    """All that assigning pictures needs.

    Attributes:
        model_id: The model's name.
        model: The model.
        embedder: Makes the vectors that the model takes.
        files: Where the embedder's weights are read from.
    """

    model_id: str
    model: ClusterModel
    embedder: ReadyEmbedder
    files: Files


def artefact_of_store(store: Store, model_id: str | None) -> Artefact:
    """Return a store's model; by default that of the last run.

    Raises:
        UsageError: There is no such model.
    """
    model_id = _choose_model(store, model_id)
    model = load_model(store, model_id)
    embedder = read_embedder(store, model.embedder_id)
    model.check(embedder.embedder_id)
    return Artefact(model_id, model, embedder, store)


def _choose_model(store: Store, wanted: str | None) -> str:
    if wanted is not None:
        if not store.table(MODELS).read(["model_id"], pc.field("model_id") == wanted).num_rows:
            known = store.table(MODELS).read(["model_id"])["model_id"].to_pylist()
            raise UsageError(
                f"the store {store.location} has no model {wanted!r}; it has "
                f"{', '.join(known) or 'none'}"
            )
        return wanted
    runs = store.table(RUNS).read(["model_id", "created_at"]).sort_by("created_at")
    if not runs.num_rows:
        raise UsageError(
            f"the store {store.location} has no clusters yet: run `artcluster cluster` first"
        )
    return str(runs["model_id"][-1].as_py())
