"""Getting an embedder ready: its weights fetched once, its contract and weights in the store."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import torch

from artcluster.archive.fetch import Fetcher
from artcluster.config import Config, EmbedSettings
from artcluster.embedders import (
    FACES,
    Contract,
    Embedder,
    FaceRecipe,
    load,
    load_state,
    prepare,
    save_state,
)
from artcluster.embedders.state import state_sha256
from artcluster.errors import UsageError
from artcluster.images.faces import FaceLimits
from artcluster.images.policy import PixelPolicy
from artcluster.location import Location
from artcluster.schema import EMBEDDERS as EMBEDDERS_TABLE
from artcluster.schema import EMBEDDINGS, REGIONS
from artcluster.store import Store
from artcluster.store.layout import contract_by_settings, embedder_weights
from artcluster.workflows.job import Job

_MADE = (EMBEDDINGS, REGIONS)


@dataclass(frozen=True)
class ReadyEmbedder:
    """An embedder that workers can load from the store."""

    contract: Contract
    policy: PixelPolicy
    weights_path: str

    @property
    def embedder_id(self) -> str:
        """Names its vectors."""
        return self.contract.embedder_id


def pixel_policy(config: Config) -> PixelPolicy:
    """Return the pixel policy of a config."""
    images = config.images
    return PixelPolicy(
        fit=images.fit,
        decode=images.decode,
        max_pixels=images.max_pixels,
        max_missing_share=images.max_missing_share,
    )


def contract_and_state(
    config: Config, trained: dict[str, Any] | None = None
) -> tuple[Contract, dict[str, Any], PixelPolicy]:
    """Fetch the weights of the configured embedder and state its contract.

    Args:
        config: Names the embedder.
        trained: Weights that were trained here, instead of fetching any.

    Raises:
        UsageError: The embedder is unknown, or its weights cannot be had.
    """
    settings = config.embed
    policy = pixel_policy(config)

    def read_bytes(uri: str) -> bytes:
        place = Location.parse(uri, config.archive.options)
        found = Fetcher(place).fetch(place.uri)
        if found.outcome != "ok":
            raise UsageError(f"embed.weights: there is no file at {place}")
        return found.data

    contract, state = prepare(
        settings.backbone,
        weights=settings.weights if trained is None else trained,
        weights_sha256=settings.weights_sha256,
        pixel_policy_id=policy.pixels_id,
        fit=policy.fit,
        input_px=settings.input_px,
        normalize=settings.normalize,
        seed=settings.seed,
        precision=settings.precision,
        read_bytes=read_bytes,
        faces=_face_recipe(config) if settings.backbone == FACES else None,
    )
    return contract, state, policy


def _face_recipe(config: Config) -> FaceRecipe:
    faces = config.embed.faces
    limits = FaceLimits(faces.detect_px, faces.min_score, faces.min_side_px, faces.max_faces)
    return FaceRecipe.of_installed(faces.picture_px, limits)


def prepare_embedder(
    store: Store, config: Config, trained: dict[str, Any] | None = None
) -> ReadyEmbedder:
    """Fetch the weights of the configured embedder, once, and put them into the store.

    The next job with the same settings finds both there, and neither fetches nor loads them.
    """
    remembered = contract_by_settings(_settings_digest(config))
    if trained is None and store.exists(remembered):
        contract = Contract.from_json(store.read_bytes(remembered).decode())
        return ReadyEmbedder(contract, pixel_policy(config), embedder_weights(contract.embedder_id))
    contract, state, policy = contract_and_state(config, trained)
    path = embedder_weights(contract.embedder_id)
    # Their hash is part of the id: what lies there already is the same.
    if state and not store.exists(path):
        store.write_bytes_if_absent(path, save_state(state))
    if trained is None:
        store.write_bytes(remembered, contract.to_json().encode())
    return ReadyEmbedder(contract, policy, path)


def record_embedder(store: Store, embedder: ReadyEmbedder, engine: dict[str, str]) -> None:
    """Write down an embedder's contract once it has vectors, or looked for faces in vain.

    Args:
        embedder: The embedder; its lease is held.
        engine: What computed its vectors; empty where a job before this one did.
    """
    if not any(embedder.embedder_id in store.table(t).distinct("embedder_id") for t in _MADE):
        return
    if is_recorded(store, embedder):
        return
    row = {
        "embedder_id": embedder.embedder_id,
        "name": embedder.contract.name,
        "dim": embedder.contract.dim,
        "contract": embedder.contract.to_json(),
        "engine": json.dumps(engine, sort_keys=True),
        "created_at": datetime.now(UTC),
    }
    store.append(EMBEDDERS_TABLE, pa.Table.from_pylist([row], EMBEDDERS_TABLE.schema))


def is_recorded(store: Store, embedder: ReadyEmbedder) -> bool:
    """Tell whether an embedder's contract is written down."""
    mine = pc.field("embedder_id") == embedder.embedder_id
    return bool(store.table(EMBEDDERS_TABLE).read(["embedder_id"], mine).num_rows)


def read_embedder(store: Store, embedder_id: str) -> ReadyEmbedder:
    """Return an embedder that has made vectors in this store.

    Raises:
        UsageError: It has made none.
    """
    mine = pc.field("embedder_id") == embedder_id
    rows = store.table(EMBEDDERS_TABLE).read(["contract"], mine).to_pylist()
    if not rows:
        raise UsageError(
            f"the store {store.location} has no embedder {embedder_id!r}: `artcluster status` "
            "lists those it has"
        )
    contract = Contract.from_json(rows[0]["contract"])
    return ReadyEmbedder(
        contract,
        PixelPolicy.from_pixels_id(contract.pixel_policy_id),
        embedder_weights(embedder_id),
    )


def _settings_digest(config: Config) -> str:
    """Name all that decides a contract; weights at a path are named by their SHA-256."""
    settings = config.embed
    facts = [
        *(settings.backbone, settings.weights_sha256 or settings.weights, settings.input_px),
        *(settings.normalize, settings.seed, settings.precision, pixel_policy(config).pixels_id),
        *(version("artcluster"), version("torchvision")),
    ]
    if settings.backbone == FACES:
        facts = [*facts, _face_recipe(config).to_text()]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


State: TypeAlias = Mapping[str, Any] | Callable[[], Mapping[str, Any]]
"""An embedder's weights, or what reads them."""


class Files(Protocol):
    """Where small files are read from, by path: a store, or a package."""

    def read_bytes(self, path: str) -> bytes:
        """Return a file's bytes."""
        ...


def stored_state(files: Files, embedder: ReadyEmbedder) -> Callable[[], Mapping[str, Any]]:
    """Return what reads an embedder's weights where they are needed."""
    return lambda: load_state(files.read_bytes(embedder.weights_path))


def load_embedder(
    files: Files,
    embedder: ReadyEmbedder,
    settings: EmbedSettings,
    device: str,
    threads: int,
) -> Embedder:
    """Load an embedder whose weights lie in a store; converted networks are kept by machine."""
    return load(
        embedder.contract,
        stored_state(files, embedder),
        device=device,
        engine=settings.engine,
        threads=threads,
        precision=settings.precision,
        batch_size=settings.batch_size,
        compile=settings.compile,
        cache_dir=cache_folder(),
    )


def cache_folder() -> Path:
    """Return where this machine keeps what can be made again."""
    base = os.environ.get("ARTCLUSTER_CACHE") or os.environ.get("XDG_CACHE_HOME")
    return Path(base or Path.home() / ".cache") / "artcluster"


def refined_embedder(
    job: Job, name: str, before: ReadyEmbedder, encoder: Mapping[str, torch.Tensor]
) -> ReadyEmbedder:
    """Put an encoder's weights into the store and state its contract.

    Args:
        name: What the embedder is called: the method's name.
        before: The embedder that was refined; the contract differs in name and weights alone.
        encoder: State of the encoder's layers.
    """
    state = {f"encoder.{layer}": tensor.float() for layer, tensor in encoder.items()}
    contract = replace(
        before.contract,
        name=name,
        weights_sha256=state_sha256(state),
        origin=f"{before.embedder_id}, refined",
    )
    path = embedder_weights(contract.embedder_id)
    # Their hash is part of the id: what lies there already is the same.
    job.store.write_bytes_if_absent(path, save_state(state))
    return ReadyEmbedder(contract, before.policy, path)
