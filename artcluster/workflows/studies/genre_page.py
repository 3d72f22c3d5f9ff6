"""The genre study for people: a page, Markdown, CSV and JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from artcluster.pages.atlas import Gallery
from artcluster.pages.charts import Points
from artcluster.pages.content import Chart, Curve
from artcluster.pages.findings import Block, Findings, FindingsTable, Section
from artcluster.workflows.job import Job
from artcluster.workflows.studies.crops import in_words
from artcluster.workflows.studies.record import Study, write_files

_SHOWN_PX = 96
"""Smaller crops are shown enlarged."""


@dataclass(frozen=True)
class Example:
    """CropSettings of a genre and their reconstructions.

    Attributes:
        rows: uint8 RGB (N, side, side, 3): the originals, then what each training made of them.
        paths: Paths of their pictures.
        losses: Errors of each crop, one a training.
    """

    genre: str
    rows: Sequence[np.ndarray]
    paths: Sequence[str]
    losses: Sequence[Sequence[float]]


def gallery(example: Example, number: int) -> Gallery:
    """Return the crops of a genre, the `number`th on its page."""
    names = ["original", "reconstruction", "with augmentation"][: len(example.rows)]
    return Gallery(
        example.genre,
        names,
        [[_shown(picture) for picture in row] for row in example.rows],
        f"{example.genre}: {len(example.paths)} originals above, their reconstructions below",
        [
            f"{path}: {', '.join(loss_figure(loss) for loss in losses)}"
            for path, losses in zip(example.paths, example.losses, strict=True)
        ],
        f"reconstructions-{number + 1}.webp",
    )


def loss_figure(value: float | None) -> str:
    """Write a loss.

    >>> loss_figure(0.00184), loss_figure(None)
    ('0.0018', '–')
    """
    return "–" if value is None else f"{value:.4f}"


def _shown(pixels_HWC: np.ndarray) -> Image.Image:
    times = -(-_SHOWN_PX // len(pixels_HWC))
    side = times * len(pixels_HWC)
    return Image.fromarray(pixels_HWC).resize((side, side), Image.Resampling.BICUBIC)


_MOST_GALLERIES = 40
_NAMES = {"plain": "Without augmentation", "augmented": "With augmentation"}


def write_genres(
    job: Job, study: Study, results: Mapping[str, Any], examples: Sequence[Example]
) -> None:
    """Write what a genre study found."""
    curves = [
        ("training", "epoch", "loss", "validation_loss"),
        *(
            (name, epoch + 1, loss, validation)
            for name, training in results["trainings"].items()
            for epoch, (loss, validation) in enumerate(_pairs(training))
        ),
    ]
    findings = genre_findings(study, results, examples)
    write_files(job, study, findings, results, results["genres"], {"curves.csv": curves})


def genre_findings(
    study: Study, results: Mapping[str, Any], examples: Sequence[Example]
) -> Findings:
    """Return what a page says of a genre study."""
    augmented = results["trainings"].get("augmented")
    sections = [
        Section("What came out", "", [_trainings(results)], _findings(results)),
        Section(
            "Training and validation",
            "Mean squared error of pixels from 0 to 1, after each pass over the training images. "
            f"Validated on {results['validation']:,} crops of pictures that were not trained on.",
            _curves(results),
        ),
        Section(
            "Loss by genre",
            "Whether what is rare is reconstructed worse. The loss is of the validation crops; "
            "the frequency is of training crops.",
            _by_genre(results),
        ),
    ]
    if augmented is not None:
        sections.append(
            Section(
                "What augmentation did",
                f"{augmented['copies']:,} altered copies (mirrored, turned by up to 15°, cropped) "
                "of rarer genres, trained on beside the originals: from the same weights, for the "
                "same number of steps, validated on the same unaltered pictures.",
                [_effect(results)],
            )
        )
    sections.append(
        Section(
            "Reconstructions",
            "Validation crops of each genre, from the one reconstructed best to the worst. "
            f"Above the original, below it what the code of {results['code']:,} numbers gives back"
            + (", then the same after training with augmentation." if augmented else "."),
            [gallery(example, number) for number, example in enumerate(examples[:_MOST_GALLERIES])],
        )
    )
    return Findings(
        f"Genres of {results['archive_id']}, by reconstruction",
        f"An autoencoder ({results['network']}) brings crops of {results['input_px']} px down to "
        f"{results['code']:,} numbers, 1/{results['input_numbers'] / results['code']:.3g} of them, "
        f"and back. How well that goes, by “{results['label']}”.",
        sections,
        f"Study {study.study_id} · {results['images']:,} images, {results['squares']:,} crops · "
        f"scan {study.facts['scan_id']}",
    )


def _trainings(results: Mapping[str, Any]) -> FindingsTable:
    return FindingsTable(
        "",
        ("Training", "Steps", "CropSettings", "Altered copies", "Loss", "Validation loss"),
        [
            (
                _NAMES[name],
                f"{training['steps']:,}",
                f"{results['training']:,}",
                f"{training['copies']:,}",
                loss_figure(training["loss"]),
                loss_figure(training["validation_loss"]),
            )
            for name, training in results["trainings"].items()
        ],
        text="Mean squared error of the trained network over unaltered crops.",
    )


def _pairs(training: Mapping[str, Any]) -> list[tuple[float, float | None]]:
    validated = training["validation_losses"] or [None] * len(training["losses"])
    return list(zip(training["losses"], validated, strict=True))


def _findings(results: Mapping[str, Any]) -> list[str]:
    plain = results["trainings"]["plain"]
    sentences = [
        f"{results['images']:,} images in {len(results['genres']):,} genres gave "
        f"{results['squares']:,} crops: {results['training']:,} to train on and "
        f"{results['validation']:,} to validate on. {results['sliced']:,} large pictures were cut "
        f"into slices, {results['faces']:,} portraits cropped to a face.",
        f"After {plain['steps']:,} steps the loss is {loss_figure(plain['loss'])} in training and "
        f"{loss_figure(plain['validation_loss'])} in validation (the paper, on WikiArt and 140 "
        "epochs: 0.0018 in both).",
    ]
    correlation = results["correlation"]
    if correlation is None:
        sentences.append("Too few genres differ in frequency to say whether it goes with the loss.")
    else:
        sentences.append(
            f"Over {correlation['count']} genres the loss and the logarithm of the frequency "
            f"correlate by {correlation['pearson']:.2f} (Pearson), by ranks "
            f"{correlation['spearman']:.2f} (Spearman): "
            + _in_words(correlation["spearman"], correlation["count"])
        )
    effect = results["effect"]
    if effect is not None and effect["change"] is not None:
        sentences.append(
            f"Augmentation changed the validation loss by {effect['change']:+.1%}; "
            f"{effect['better']:,} of {results['validation']:,} crops and "
            f"{effect['genres_better']:,} of {len(results['genres']):,} genres got better. The "
            "paper: no improvement on the whole."
        )
    elif "augmented" not in results["trainings"]:
        sentences.append("No genre was rare enough to be augmented (study.genres.augment_to).")
    if results["missing"]:
        left_out = in_words(results["missing"])
        sentences.append(f"Left out, since they could not be read again: {left_out}.")
    return [*sentences, *results["notes"]]


def _in_words(spearman: float, count: int) -> str:
    if abs(spearman) < 0.3:
        return "no sign that rarer genres are reconstructed worse."
    strength = "clearly" if abs(spearman) >= 0.7 else "somewhat"
    worse = "worse" if spearman < 0 else "better"
    few = " Over so few genres chance alone does that easily." if count < 10 else ""
    return f"rarer genres are {strength} reconstructed {worse}.{few}"


def _curves(results: Mapping[str, Any]) -> list[Block]:
    blocks: list[Block] = []
    for name, training in results["trainings"].items():
        epochs = range(1, len(training["losses"]) + 1)
        curves = [Curve("training", list(zip(epochs, training["losses"], strict=True)))]
        if training["validation_losses"]:
            curves.append(
                Curve("validation", list(zip(epochs, training["validation_losses"], strict=True)))
            )
        text = "" if name == "plain" else "Its training crops are other ones: altered copies, too."
        blocks.append(Chart(_NAMES[name], text, "epochs", "loss", curves, log=True))
    return blocks


def _by_genre(results: Mapping[str, Any]) -> list[Block]:
    rows = results["genres"]
    measured = [row for row in rows if row["loss"] is not None]
    worst = max((row["loss"] for row in measured), default=None)
    table = FindingsTable(
        "",
        ("Genre", "Images", "Training crops", "Validation crops", "Training loss", "Loss"),
        [
            (
                row["genre"],
                f"{row['images']:,}",
                f"{row['training']:,}",
                f"{row['validation']:,}",
                loss_figure(row["training_loss"]),
                loss_figure(row["loss"]),
            )
            for row in rows
        ],
        best=frozenset((n, 5) for n, row in enumerate(rows) if row["loss"] == worst is not None),
        text="The worst is in bold. A genre without validation crops has a single picture.",
    )
    if not measured:
        return [table]
    points = Points(
        "Loss against frequency",
        "training crops of the genre",
        "validation loss",
        [(row["genre"], row["training"], row["loss"]) for row in measured if row["training"]],
    )
    return [table, points]


def _effect(results: Mapping[str, Any]) -> FindingsTable:
    return FindingsTable(
        "",
        ("Genre", "Training crops", "Loss without", "Loss with", "Change", "Crops better"),
        [
            (
                row["genre"],
                f"{row['training']:,}",
                loss_figure(row["loss"]),
                loss_figure(row["augmented_loss"]),
                "–" if row["change"] is None else f"{row['change']:+.1%}",
                f"{row['better']:,} of {row['validation']:,}",
            )
            for row in results["genres"]
        ],
    )
