"""A model in a folder of its own: all that assigning pictures needs, and a digest over it."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from artcluster.clustering.model.confidence import Assignment
from artcluster.clustering.model.model import ClusterModel
from artcluster.config import Config
from artcluster.embedders import Contract
from artcluster.errors import StoreError, UsageError
from artcluster.images.policy import PixelPolicy
from artcluster.location import Location
from artcluster.schema import MODELS
from artcluster.store import Store
from artcluster.store.blobs import Blobs
from artcluster.store.views import duckdb_connection
from artcluster.workflows.clustering.assign import LoadedModel, artefact_of_store, assign_by
from artcluster.workflows.clustering.package_format import (
    DESCRIPTION,
    PackagedCluster,
    PackageFacts,
    read_facts,
    readme,
)
from artcluster.workflows.embedding.embedder import ReadyEmbedder
from artcluster.workflows.results import AssignedImage
from artcluster.workflows.runs import choose_run, read_runs

_CONTRACT = "embedder/contract.json"
_WEIGHTS = "embedder/weights.safetensors"
_MODEL = "model/"


class Package:
    """A packaged model that was opened: assigns pictures and vectors. Needs no store and no Ray.

    Attributes:
        facts: What its description says.
        artefact: The model and its embedder.
    """

    def __init__(self, facts: PackageFacts, artefact: LoadedModel) -> None:
        self.facts = facts
        self.artefact = artefact

    @classmethod
    def open(
        cls, place: Location | str | Path, *, options: Mapping[str, str] | None = None
    ) -> "Package":
        """Open a package.

        Args:
            place: Its folder, or a URI.
            options: Storage options, for a URI.

        Raises:
            UsageError: The place is no package, or a newer one.
            StoreError: A file is damaged, missing or not the one that was packaged.
        """
        location = place if isinstance(place, Location) else Location.parse(place, options)
        if not is_package(location):
            raise UsageError(
                f"{location} is no package: it has no {DESCRIPTION}. `artcluster package STORE DIR`"
                " makes one."
            )
        facts = read_facts(location)
        files = _CheckedFiles(location, facts.files)
        inside = {
            path.removeprefix(_MODEL): files.read_bytes(path)
            for path in facts.files
            if path.startswith(_MODEL)
        }
        model = ClusterModel.from_files(inside)
        contract = Contract.from_json(files.read_bytes(_CONTRACT).decode())
        model.check(contract.embedder_id)
        policy = PixelPolicy.from_pixels_id(contract.pixel_policy_id)
        embedder = ReadyEmbedder(contract, policy, _WEIGHTS)
        return cls(facts, LoadedModel(facts.model_id, model, embedder, files))

    def assign(
        self, images: Sequence[str | Path], config: Config | None = None, *, threads: int = 1
    ) -> Iterator[AssignedImage]:
        """Yield the cluster of each picture; see `assign_by`."""
        places = [str(place) for place in images]
        return assign_by(self.artefact, places, config or Config(), threads)

    def predict(
        self, embeddings_ND: np.ndarray, embedder_id: str, *, threads: int = 1
    ) -> Assignment:
        """Assign vectors that the package's embedder made elsewhere.

        Args:
            embeddings_ND: float32.
            embedder_id: Whose vectors they are, as the store's table `embedders` says.
            threads: CPU threads.

        Raises:
            ValueError: They are of another embedder, of another length, or not finite.
        """
        self.artefact.model.check(embedder_id)
        return self.artefact.model.predict(embeddings_ND, threads=threads)


def is_package(location: Location) -> bool:
    """Tell whether a place holds a package."""
    if location.is_local and not Path(location.uri).is_dir():
        return False
    return Blobs(location).read_if_exists(DESCRIPTION) is not None


def write_package(
    artefact: LoadedModel,
    location: Location,
    *,
    run_id: str,
    store_id: str,
    clusters: Mapping[int, PackagedCluster],
) -> PackageFacts:
    """Write a package; its description, which makes it one, comes last.

    Args:
        artefact: The model and its embedder.
        location: An empty or new folder, or one that a broken-off call began to fill.
        run_id: The run that the model is known from.
        store_id: The store it comes from.
        clusters: What is known of the clusters.

    Raises:
        UsageError: The folder holds a package already, or other things.
    """
    model, contract = artefact.model, artefact.embedder.contract
    contents = {_MODEL + name: data for name, data in model.to_files().items()}
    contents[_CONTRACT] = contract.to_json().encode()
    if contract.weights_sha256:
        contents[_WEIGHTS] = artefact.files.read_bytes(artefact.embedder.weights_path)
    facts = PackageFacts(
        model_id=artefact.model_id,
        method=model.method,
        k=model.k,
        embedder_id=contract.embedder_id,
        run_id=run_id,
        store_id=store_id,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        clusters=clusters,
        files={},
    )
    contents["README.md"] = readme(facts, contract).encode()
    if location.is_local:
        location.objects(create=True)
    blobs = Blobs(location)
    others = sorted(set(blobs.list("")) - contents.keys())
    if others:
        what = "a package already" if DESCRIPTION in others else f"{others[0]!r}"
        raise UsageError(
            f"{location} holds {what}: a package needs a folder of its own. Name one that is empty "
            "or does not exist yet."
        )
    for path, data in contents.items():
        blobs.write(path, data)
    hashes = {path: hashlib.sha256(data).hexdigest() for path, data in sorted(contents.items())}
    described = PackageFacts(**{**facts.__dict__, "files": hashes})
    blobs.write(DESCRIPTION, described.to_json())
    return described


@dataclass(frozen=True)
class _CheckedFiles:
    """Files of a package, each checked against the hash in its description."""

    location: Location
    hashes: Mapping[str, str]

    def read_bytes(self, path: str) -> bytes:
        data = Blobs(self.location).read_if_exists(path)
        if data is None or hashlib.sha256(data).hexdigest() != self.hashes.get(path):
            problem = "is missing" if data is None else "is not the file that was packaged"
            raise StoreError(
                f"The package {self.location} is damaged: {path!r} {problem}. Copy it again, or "
                "make it anew with `artcluster package`."
            )
        return data


def package_model(
    store: Store,
    wanted: str | None,
    location: Location,
    config: Config,
    archive_id: str | None = None,
) -> PackageFacts:
    """Write a model of a store as a package.

    Args:
        store: Holds the model.
        wanted: A model, or a run by its id or a unique prefix; None for an archive's last run.
        location: Where the package is to lie.
        config: The memory to use.
        archive_id: Which archive, where the store has several.

    Raises:
        UsageError: There is no such model, several to choose from, or the place is not empty.
    """
    if (f"{location.uri}/").startswith(f"{store.location.uri.rstrip('/')}/"):
        raise UsageError(f"{location} lies in the store itself: name a folder outside of it.")
    runs = [run for run in read_runs(store, archive_id) if wanted == run.model_id]
    if wanted in store.table(MODELS).read(["model_id"])["model_id"].to_pylist():
        artefact = artefact_of_store(store, wanted)
    else:
        runs = [choose_run(store, wanted, archive_id)]
        artefact = artefact_of_store(store, runs[0].model_id)
    run_id = runs[-1].run_id if runs else ""
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
