"""What a genre study found, as JSON has it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from artcluster.config.study import GenreStudySettings
from artcluster.embedders.trained_networks import AUTOENCODERS
from artcluster.metrics.correlation import correlation
from artcluster.workflows.studies.genre_training import GenreData, network_name
from artcluster.workflows.studies.record import Study

PLAIN, AUGMENTED = "plain", "augmented"


def genre_results(
    study: Study,
    settings: GenreStudySettings,
    data: GenreData,
    trainings: Mapping[str, Mapping[str, Any]],
    errors: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    """Return all that the study found, as JSON has it."""
    crops, validation_N = data.crops, data.validation_N
    crops_of = Counter(crops.picture_N.tolist())
    network = AUTOENCODERS[network_name(settings)](input_px=data.side_px, seed=0)
    rows = [_genre_row(genre, images, data, errors) for genre, images in data.sample.counts.items()]
    shown = [row for row in rows if row["loss"] is not None]
    frequencies = [row["training"] for row in shown]
    frequency_effect = correlation(np.log10(frequencies).tolist(), [row["loss"] for row in shown])
    return {
        "label": study.label,
        "archive_id": study.facts["archive_id"],
        "network": network_name(settings),
        "input_px": data.side_px,
        "input_numbers": data.side_px**2 * network.channels,
        "code": network.code,
        "images": len(crops_of),
        "squares": len(crops.picture_N),
        "training": int((~validation_N).sum()),
        "validation": int(validation_N.sum()),
        "sliced": sum(count > 1 for count in crops_of.values()),
        "faces": crops.faces,
        "missing": dict(crops.missing),
        "notes": list(data.sample.notes),
        "trainings": {
            name: {**training, **_losses(errors[name], validation_N)}
            for name, training in trainings.items()
        },
        "genres": rows,
        "correlation": None if frequency_effect is None else asdict(frequency_effect),
        "effect": _effect(rows, errors, validation_N),
    }


def _losses(errors_N: np.ndarray, validation_N: np.ndarray) -> dict[str, float | None]:
    return {
        "loss": _mean(errors_N[~validation_N]),
        "validation_loss": _mean(errors_N[validation_N]),
    }


def _genre_row(
    genre: str, images: int, data: GenreData, errors: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    of_genre = data.genre_N == genre
    trained, validated = of_genre & ~data.validation_N, of_genre & data.validation_N
    row: dict[str, Any] = {
        "genre": genre,
        "images": images,
        "training": int(trained.sum()),
        "validation": int(validated.sum()),
        "training_loss": _mean(errors[PLAIN][trained]),
        "loss": _mean(errors[PLAIN][validated]),
    }
    if AUGMENTED in errors:
        after, before = errors[AUGMENTED][validated], errors[PLAIN][validated]
        row["augmented_loss"] = _mean(after)
        row["change"] = _change(before, after)
        row["better"] = int((after < before).sum())
    return row


def _effect(
    rows: Sequence[Mapping[str, Any]], errors: Mapping[str, np.ndarray], validation_N: np.ndarray
) -> dict[str, Any] | None:
    """Return what augmentation did to the validation crops altogether."""
    if AUGMENTED not in errors or not validation_N.any():
        return None
    before, after = errors[PLAIN][validation_N], errors[AUGMENTED][validation_N]
    return {
        "change": _change(before, after),
        "better": int((after < before).sum()),
        "genres_better": sum((row["change"] or 0) < 0 for row in rows),
    }


def _change(before: np.ndarray, after: np.ndarray) -> float | None:
    """Return by how much the mean error rose, as a share; None where there was none."""
    mean = before.mean() if len(before) else 0.0
    return float(after.mean() / mean - 1) if mean > 0 else None


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
