"""The study of backbones: each is fine-tuned on a label, and what it tells apart is compared.

Source: Castellano and Vessio 2021 (DELIUS), §5.4 and Figure 8.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from artcluster.config.study import BackboneStudySettings
from artcluster.embedders import load_state
from artcluster.embedders.catalogue import parse_name
from artcluster.embedders.fine_tuning import FINE_TUNED, FineTunedNetwork
from artcluster.embedders.networks import build_network, fill
from artcluster.errors import UsageError
from artcluster.metrics.proportion import wilson_interval
from artcluster.schema import STUDIES
from artcluster.stages.embedder import ReadyEmbedder, prepare_embedder
from artcluster.stages.job import Job
from artcluster.stages.known import choose_archive
from artcluster.stages.label_groups import read_mapping
from artcluster.stages.studies.backbone_findings import write_backbones
from artcluster.stages.studies.loading import LoadPieces, load_shards
from artcluster.stages.studies.pieces import Pieces, Squares, decode_pieces
from artcluster.stages.studies.record import (
    Study,
    StudySummary,
    commit_study,
    finished_study,
    plan_study,
)
from artcluster.stages.studies.sample import Sample, Wanted, draw_sample
from artcluster.stages.training_place import (
    WORTH_A_CLUSTER_PICTURES,
    TrainingPlace,
    training_place,
)
from artcluster.store import Store
from artcluster.training.batches import owned_shards
from artcluster.training.classifier import (
    Classified,
    ClassifierConfig,
    Labelled,
    train_classifier,
)
from artcluster.training.stratified import validation_rows
from artcluster.training.worker import Worker

_NO_RESULT = frozenset({"map_bytes", "weights"})
_LEAST_CLASSES = 2


@dataclass(frozen=True)
class _Data:
    """The pictures of a study, divided; numbers are those of `pieces`."""

    sample: Sample
    pieces: Pieces
    classes: tuple[str, ...]
    class_N: np.ndarray
    validation_N: np.ndarray


def study_backbones(
    job: Job, archive_id: str | None = None, mapping: str | None = None
) -> StudySummary:
    """Fine-tune each backbone on a label and compare them on the same validation images.

    Each backbone is kept as it is finished, and goes on from its checkpoint where it was killed.
    The study's row is written last; a study that exists is not made again. No network is kept:
    what was trained on labels cannot come into a model of clusters.

    Args:
        job: What to work with.
        archive_id: Which archive; None for the only one.
        mapping: `COLUMN=FILE`: a CSV that groups the values of the label's column.

    Raises:
        UsageError: The label is no column, there are too few images or classes, or a backbone is
            not known or its weights cannot be had.
        LeaseHeldError: Another job makes the same study.
    """
    archive_id = choose_archive(job.store, archive_id)
    settings = job.config.study.backbones
    for name in settings.backbones:
        _check_backbone(name)
    groups = {} if mapping is None else _groups(job, mapping)
    study = plan_study(job, "backbones", archive_id, settings, without=_NO_RESULT, groups=groups)
    done = finished_study(job.store, study.study_id)
    if done is not None:
        return done
    with job.lease(f"study={study.study_id}", STUDIES) as lease:
        if (done := finished_study(job.store, study.study_id)) is not None:
            return done
        data, place = _gather(job, archive_id, study)
        found = [_compared(job, study, place, data, name) for name in settings.backbones]
        results = _results(study, data, found)
        with job.timings.stage("pages"):
            write_backbones(job, study, results)
        commit_study(job, study, results, lease)
    made = finished_study(job.store, study.study_id)
    assert made is not None
    return replace(made, already=False, seconds=dict(job.timings.seconds))


def _check_backbone(name: str) -> None:
    network = parse_name(name).network
    if network not in FINE_TUNED:
        raise UsageError(
            f"study.backbones: {name!r} cannot be fine-tuned, its last convolutional block is not "
            f"known: choose among {', '.join(FINE_TUNED)}, each also as random:NAME"
        )


def _groups(job: Job, mapping: str) -> Mapping[str, str]:
    """Return the group of each value of the label."""
    column, equals, file = mapping.partition("=")
    if not equals or not file or column != job.config.study.label:
        raise UsageError(
            "--map: expected COLUMN=FILE with the column of --label, such as "
            f"{job.config.study.label}=groups.csv, got {mapping!r}"
        )
    return read_mapping(column, file, job.config.archive.options).groups


def _gather(job: Job, archive_id: str, study: Study) -> tuple[_Data, TrainingPlace]:
    """Draw, decode and divide the pictures."""
    settings = job.config.study.backbones
    wanted = Wanted(
        study.label,
        groups=study.facts["groups"],
        top_labels=settings.classes,
        min_images=settings.min_images,
        max_images=settings.max_images,
        seed=settings.seed,
    )
    with job.timings.stage("gather"):
        sample = draw_sample(job, archive_id, wanted)
    for note in sample.notes:
        job.progress.say(note)
    if len(sample.counts) < _LEAST_CLASSES:
        raise UsageError(
            f"there is nothing to tell apart by {study.label!r}: {len(sample.counts)} value with "
            f"at least {settings.min_images} images. {' '.join(sample.notes)}"
        )
    place = training_place(job, len(sample.content_ids), WORTH_A_CLUSTER_PICTURES)
    squares = Squares(settings.input_px)
    pieces = decode_pieces(job, place.executor, archive_id, sample, squares)
    if pieces.missing:
        told = ", ".join(f"{count:,} {reason}" for reason, count in pieces.missing.items())
        job.progress.say(f"Pictures that could not be read again are left out: {told}.")
    labels = [sample.labels[picture] for picture in pieces.picture_N.tolist()]
    classes = tuple(label for label in sample.counts if label in set(labels))
    number = {label: each for each, label in enumerate(classes)}
    validation_N = validation_rows(labels, settings.validation_share, settings.seed)
    if not validation_N.any():
        raise UsageError(
            f"there are too few images to validate on: {len(labels)} in {len(classes)} classes"
        )
    class_N = np.array([number[label] for label in labels], np.int64)
    return _Data(sample, pieces, classes, class_N, validation_N), place


def _compared(
    job: Job, study: Study, place: TrainingPlace, data: _Data, name: str
) -> Mapping[str, Any]:
    """Return what a backbone came to, now or in an earlier job."""
    path = f"{study.part(name)}.json"
    if job.store.exists(path):
        return dict(json.loads(job.store.read_bytes(path)))
    settings = job.config.study.backbones
    with job.timings.stage("prepare"):
        embedder = _prepared(job, settings, name)
    numbers = np.flatnonzero(~data.validation_N)
    seen = np.flatnonzero(data.validation_N)
    side = settings.input_px
    shards = load_shards(job.store, data.pieces, numbers, side)
    validation = load_shards(job.store, data.pieces, seen, side)
    stage = f"fine-tune {name}"
    loop = TrainBackbone(
        job.store,
        embedder,
        len(data.classes),
        tuple(map(tuple, _cut(data.class_N[numbers], shards))),
        tuple(validation),
        tuple(map(tuple, _cut(data.class_N[seen], validation))),
        ClassifierConfig(
            dropout=settings.dropout,
            learning_rate=settings.learning_rate,
            fine_tuning_rate=settings.fine_tuning_rate,
            patience=settings.patience,
            max_epochs=settings.max_epochs,
            max_steps=settings.max_steps,
            batch_size=settings.batch_size,
            seed=settings.seed,
            map_bytes=settings.map_bytes,
        ),
        # A function of this process, which one on the cluster cannot call.
        (lambda rows: job.progress.advance(stage, rows)) if place.executor is job.local else None,
    )
    with job.timings.stage(stage):
        trained = place.train_shards(loop, shards, study.training(name))
    told = _told(name, embedder, trained)
    job.progress.say(
        f"`{name}`: {told['accuracy']:.1%} of {told['validated']:,} validation images right, "
        f"{told['head_accuracy']:.1%} before its last block was trained."
    )
    job.store.write_bytes(path, json.dumps(told).encode())
    return told


def _prepared(job: Job, settings: BackboneStudySettings, name: str) -> ReadyEmbedder:
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


def _cut(classes_N: np.ndarray, shards: Sequence[LoadPieces]) -> list[list[int]]:
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
    validation: tuple[LoadPieces, ...]
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


def _results(study: Study, data: _Data, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    trained = np.bincount(data.class_N[~data.validation_N], minlength=len(data.classes))
    validated = np.bincount(data.class_N[data.validation_N], minlength=len(data.classes))
    return {
        "label": study.label,
        "archive_id": study.facts["archive_id"],
        "images": len(data.class_N),
        "training": int(trained.sum()),
        "validation": int(validated.sum()),
        "classes": [
            {
                "class": label,
                "images": int(trained[n] + validated[n]),
                "training": int(trained[n]),
                "validation": int(validated[n]),
            }
            for n, label in enumerate(data.classes)
        ],
        "chance": 1 / len(data.classes),
        "majority": int(validated[trained.argmax()]) / int(validated.sum()),
        "missing": dict(data.pieces.missing),
        "notes": list(data.sample.notes),
        "backbones": list(found),
    }
