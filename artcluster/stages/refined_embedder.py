"""An encoder that a method refined, as an embedder of its own."""

from collections.abc import Mapping
from dataclasses import replace

import torch

from artcluster.embedders import save_state
from artcluster.embedders.state import state_sha256
from artcluster.stages.embedder import ReadyEmbedder, weights_path
from artcluster.stages.job import Job


def refined_embedder(
    job: Job, name: str, before: ReadyEmbedder, encoder: Mapping[str, torch.Tensor]
) -> ReadyEmbedder:
    """Put an encoder's weights into the store and state its contract.

    Args:
        job: What to work with.
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
    path = weights_path(contract.embedder_id)
    # Their hash is part of the id: what lies there already is the same.
    job.store.write_bytes_if_absent(path, save_state(state))
    return ReadyEmbedder(contract, before.policy, path)
