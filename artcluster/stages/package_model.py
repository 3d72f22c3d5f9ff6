"""`package`: a store's model, with what its last run says of its clusters, as a folder."""

from artcluster.config import Config
from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.schema import RUNS
from artcluster.stages.artefact import artefact_of_store
from artcluster.stages.package import write_package
from artcluster.stages.package_facts import PackagedCluster, PackageFacts
from artcluster.store import Store
from artcluster.store.duckdb import duckdb_connection


def package_model(
    store: Store, model_id: str | None, location: Location, config: Config
) -> PackageFacts:
    """Write a model of a store as a package.

    Args:
        store: Holds the model.
        model_id: Which model, or which run's; None for that of the last run.
        location: Where the package is to lie.
        config: The memory to use.

    Raises:
        UsageError: There is no such model, or the place is not empty.
    """
    runs = store.table(RUNS).read(["run_id", "model_id", "created_at"]).sort_by("created_at")
    models = dict(zip(runs["run_id"].to_pylist(), runs["model_id"].to_pylist(), strict=True))
    if (f"{location.uri}/").startswith(f"{store.location.uri.rstrip('/')}/"):
        raise UsageError(f"{location} lies in the store itself: name a folder outside of it.")
    run_id = model_id if model_id in models else None
    artefact = artefact_of_store(store, models.get(model_id or "", model_id))
    if run_id is None:
        having = [run for run, model in models.items() if model == artefact.model_id]
        run_id = having[-1] if having else ""
    clusters = _clusters(store, run_id, config) if run_id else {}
    return write_package(
        artefact, location, run_id=run_id, store_id=store.store_id, clusters=clusters
    )


def _clusters(store: Store, run_id: str, config: Config) -> dict[int, PackagedCluster]:
    """Return sizes and names of the model's clusters in a run; those of most of its images."""
    memory = f"{config.store.memory_bytes}B"
    with duckdb_connection(store, memory_limit=memory, run_id=run_id) as tables:
        rows = tables.sql(
            "select model_cluster, count(*), mode(cluster_name) from latest "
            "where model_cluster is not null group by 1 order by 1"
        ).fetchall()
    return {int(number): PackagedCluster(size, name) for number, size, name in rows}
