"""The study of backbones: each is fine-tuned on a label, and what it tells apart is compared.

Source: Castellano and Vessio 2021 (DELIUS), §5.4 and Figure 8.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from artcluster.embedders.catalogue import parse_name
from artcluster.embedders.fine_tuning import FINE_TUNED
from artcluster.errors import UsageError
from artcluster.training.classification import validation_rows
from artcluster.workflows.archives import choose_archive
from artcluster.workflows.experiments.labels import read_mapping
from artcluster.workflows.job import WORTH_A_CLUSTER_PICTURES, Job, TrainingPlace, training_backend
from artcluster.workflows.studies.backbone_page import write_backbones
from artcluster.workflows.studies.backbone_training import ClassData, fine_tuned
from artcluster.workflows.studies.crop_decoding import CropSettings
from artcluster.workflows.studies.crops import decode_crops
from artcluster.workflows.studies.record import Study, StudySummary, plan_study, run_once
from artcluster.workflows.studies.sample import SampleSpec, draw_sample

NO_RESULT = {"map_bytes": True, "weights": {"__all__": {"uri"}}}
"""Weights are named by their hash: it is no other study where they lie elsewhere."""

_LEAST_CLASSES = 2


def study_backbones(
    job: Job, archive_id: str | None = None, mapping: str | None = None
) -> StudySummary:
    """Fine-tune each backbone on a label and compare them on the same validation images.

    Each backbone is kept as it is finished, and goes on from its checkpoint where it was killed.
    The study's row is written last; a study that exists is not made again. No network is kept:
    what was trained on labels cannot come into a model of clusters.

    Args:
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
    study = plan_study(job, "backbones", archive_id, settings, without=NO_RESULT, groups=groups)

    def make() -> Mapping[str, Any]:
        data, place = _gather(job, archive_id, study)
        found = [fine_tuned(job, study, place, data, name) for name in settings.backbones]
        results = _results(study, data, found)
        with job.timings.stage("pages"):
            write_backbones(job, study, results)
        return results

    return run_once(job, study, make)


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


def _gather(job: Job, archive_id: str, study: Study) -> tuple[ClassData, TrainingPlace]:
    """Draw, decode and divide the pictures."""
    settings = job.config.study.backbones
    wanted = SampleSpec(
        study.label,
        groups=study.facts["groups"],
        top_labels=settings.classes,
        min_images=settings.min_images,
        max_images=settings.max_images,
        seed=settings.seed,
    )
    sample = draw_sample(job, archive_id, wanted)
    if len(sample.counts) < _LEAST_CLASSES:
        raise UsageError(
            f"there is nothing to tell apart by {study.label!r}: {len(sample.counts)} value with "
            f"at least {settings.min_images} images (study.backbones.min_images). "
            f"{' '.join(sample.notes)}"
        )
    place = training_backend(job, len(sample.content_ids), WORTH_A_CLUSTER_PICTURES)
    cropping = CropSettings(settings.input_px)
    crops = decode_crops(job, place.executor, archive_id, sample, cropping)
    labels = [sample.labels[picture] for picture in crops.picture_N.tolist()]
    classes = tuple(label for label in sample.counts if label in set(labels))
    number = {label: each for each, label in enumerate(classes)}
    validation_N = validation_rows(labels, settings.validation_share, settings.seed)
    if not validation_N.any():
        raise UsageError(
            f"there are too few images to validate on: {len(labels)} in {len(classes)} classes; "
            "raise study.backbones.validation_share, or lower --classes"
        )
    class_N = np.array([number[label] for label in labels], np.int64)
    return ClassData(sample, crops, classes, class_N, validation_N), place


def _results(study: Study, data: ClassData, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
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
        "missing": dict(data.crops.missing),
        "notes": list(data.sample.notes),
        "backbones": list(found),
    }
