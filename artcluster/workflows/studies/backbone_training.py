"""The fine-tuning of one backbone of a study, kept once it is finished."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from artcluster.config import from_settings
from artcluster.config.study import BackboneStudySettings
from artcluster.embedders import load_state
from artcluster.embedders.fine_tuning import FineTunedNetwork
from artcluster.embedders.networks import build_network, fill
from artcluster.metrics.over_representation import wilson_interval
from artcluster.store import Store
from artcluster.training.batches import owned_shards
from artcluster.training.classification import Classified, ClassifierConfig, Labelled
from artcluster.training.classifier import train_classifier
from artcluster.training.worker import Worker
from artcluster.workflows.embedding.embedder import ReadyEmbedder, prepare_embedder
from artcluster.workflows.job import Job, TrainingPlace
from artcluster.workflows.studies.crops import Crops, LoadCrops, load_shards
from artcluster.workflows.studies.record import Study
from artcluster.workflows.studies.sample import LabelledSample


@dataclass(frozen=True)
class ClassData:
    """The pictures of a study, divided; numbers are those of `crops`."""

    sample: LabelledSample
    crops: Crops
    classes: tuple[str, ...]
    class_N: np.ndarray
    validation_N: np.ndarray


def fine_tuned(
    job: Job, study: Study, place: TrainingPlace, data: ClassData, name: str
) -> Mapping[str, Any]:
    """Return what a backbone came to, now or in an earlier job."""
    path = f"{study.part(name)}.json"
    if job.store.exists(path):
        return dict(json.loads(job.store.read_bytes(path)))
    settings = job.config.study.backbones
    with job.timings.stage("prepare"):
        embedder = prepared(job, settings, name)
    numbers = np.flatnonzero(~data.validation_N)
    seen = np.flatnonzero(data.validation_N)
    side = settings.input_px
    shards = load_shards(job.store, data.crops, numbers, side)
    validation = load_shards(job.store, data.crops, seen, side)
    stage = f"fine-tune {name}"
    loop = TrainBackbone(
        job.store,
        embedder,
        len(data.classes),
        tuple(map(tuple, _cut(data.class_N[numbers], shards))),
        tuple(validation),
        tuple(map(tuple, _cut(data.class_N[seen], validation))),
        from_settings(ClassifierConfig, settings),
        # A function of this process, which one on the cluster cannot call.
        (lambda rows: job.progress.advance(stage, rows)) if place.executor is job.local else None,
    )
    with job.timings.stage(stage):
        trained = place.train_shards(loop, shards, study.training(name))
    result = _told(name, embedder, trained)
    job.progress.say(
        f"`{name}`: {result['accuracy']:.1%} of {result['validated']:,} validation images right, "
        f"{result['head_accuracy']:.1%} before its last block was trained."
    )
    job.store.write_bytes(path, json.dumps(result).encode())
    return result


def prepared(job: Job, settings: BackboneStudySettings, name: str) -> ReadyEmbedder:
    """Return a backbone with its weights in the store."""
    weights = settings.weights.get(name)
    own = {
        "backbone": name,
        "weights": "auto" if weights is None else weights.uri,
        "weights_sha256": None if weights is None else weights.sha256,
        "input_px": settings.input_px,
        "normalize": True,
        "seed": settings.seed,
    }
    embed = job.config.embed.model_copy(update=own)
    return prepare_embedder(job.store, job.config.model_copy(update={"embed": embed}))


def _cut(classes_N: np.ndarray, shards: Sequence[LoadCrops]) -> list[list[int]]:
    """Cut classes as the shards are cut."""
    lengths = [sum(len(rows) for _, rows in shard.rows) for shard in shards]
    return [part.tolist() for part in np.split(classes_N, np.cumsum(lengths)[:-1])]


@dataclass(frozen=True)
class TrainBackbone:
    """The training loop. Picklable, without a listener."""

    store: Store
    embedder: ReadyEmbedder
    classes: int
    classes_of_shards: tuple[tuple[int, ...], ...]
    validation: tuple[LoadCrops, ...]
    classes_of_validation: tuple[tuple[int, ...], ...]
    config: ClassifierConfig
    told: Callable[[int], None] | None

    def __call__(self, worker: Worker) -> Classified:
        """Train one rank, which validates on its share of the validation images."""
        contract = self.embedder.contract
        state = load_state(self.store.read_bytes(self.embedder.weights_path))
        backbone = fill(build_network(contract.network, contract.input_px), state)
        network = FineTunedNetwork(
            backbone,
            contract.network,
            mean=contract.mean,
            std=contract.std,
            dim=contract.dim,
            classes=self.classes,
            seed=self.config.seed,
        )
        own = owned_shards(len(self.validation), worker.rank, worker.world)
        seen = [np.array(self.classes_of_validation[shard], np.int64) for shard in own]
        return train_classifier(
            worker,
            network,
            {shard: np.array(self.classes_of_shards[shard], np.int64) for shard in worker.shards},
            Labelled(
                [self.validation[shard]() for shard in own],
                np.concatenate([np.empty(0, np.int64), *seen]),
            ),
            self.config,
            row_shape=(*contract.input_px, 3),
            told=self.told,
        )


def _told(name: str, embedder: ReadyEmbedder, trained: Classified) -> dict[str, Any]:
    """Return what a backbone came to, as JSON has it."""
    confusion_CC = trained.confusion_CC
    validated, right = int(confusion_CC.sum()), int(confusion_CC.trace())
    return {
        "backbone": name,
        "weights": embedder.contract.origin,
        "dim": embedder.contract.dim,
        "trained_parameters": list(trained.trained),
        "epochs": [epoch._asdict() for epoch in trained.epochs],
        "best": list(trained.best),
        "stopped": list(trained.stopped),
        "validated": validated,
        "accuracy": right / validated,
        "accuracy_interval": list(wilson_interval(right, validated)),
        "balanced_accuracy": _balanced(confusion_CC),
        "loss": trained.epochs[trained.best[1]].validation_loss,
        "head_accuracy": int(trained.confusion_head_CC.trace()) / validated,
        "head_balanced_accuracy": _balanced(trained.confusion_head_CC),
        "confusion": confusion_CC.tolist(),
        "head_confusion": trained.confusion_head_CC.tolist(),
    }


def _balanced(confusion_CC: np.ndarray) -> float:
    """Return the mean share of each class that was told right."""
    counts = confusion_CC.sum(axis=1)
    present = counts > 0
    return float((confusion_CC.diagonal()[present] / counts[present]).mean())
