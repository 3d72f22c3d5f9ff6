"""The dense autoencoder of vectors, trained once for every method and k that uses it."""

import json
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch

from artcluster.embedders import load_state, save_state
from artcluster.stages.digest import digest
from artcluster.stages.job import Job
from artcluster.stages.methods.training_set import TrainingSet
from artcluster.stages.training_place import TrainingPlace
from artcluster.training.pretraining import PretrainConfig, pretrain_autoencoder


@dataclass(frozen=True)
class Pretrained:
    """A trained autoencoder.

    Attributes:
        state: Its tensors.
        training: Steps and losses, as JSON has it.
    """

    state: dict[str, torch.Tensor]
    training: dict[str, Any]


def pretrained_autoencoder(job: Job, place: TrainingPlace, data: TrainingSet) -> Pretrained:
    """Return the autoencoder, trained now or by an earlier job of the same settings and vectors."""
    settings = job.config.cluster
    config = PretrainConfig(
        epochs=settings.pretrain.epochs,
        min_steps=settings.pretrain.min_steps,
        max_steps=settings.pretrain.max_steps,
        batch_size=settings.pretrain.batch_size,
        learning_rate=settings.pretrain.learning_rate,
        seed=settings.seed,
        hidden=settings.dec.hidden,
        code_dim=settings.dec.code_dim,
        initialisation=settings.dec.initialisation,
    )
    facts = [asdict(config), settings.scaling, data.embedder_id, data.digest]
    path = f"pretrained/autoencoder-{digest(facts)}"
    if job.store.exists(f"{path}.json"):
        training = json.loads(job.store.read_bytes(f"{path}.json"))
        state = load_state(job.store.read_bytes(f"{path}.safetensors"))
        return Pretrained(state, training | {"cached": True})
    with job.timings.stage("pretrain"):
        trained = place.train(
            partial(pretrain_autoencoder, config=config),
            data.scaled(settings.scaling),
            path.removeprefix("pretrained/"),
        )
    training = {"steps": trained.steps, "losses": [float(loss) for loss in trained.losses]}
    job.store.write_bytes(f"{path}.safetensors", save_state(trained.state))
    job.store.write_bytes(f"{path}.json", json.dumps(training).encode())
    return Pretrained(trained.state, training)
