"""The genre study for people: a page, Markdown, CSV and JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from artcluster.pages.atlas import Gallery
from artcluster.pages.charts import Points
from artcluster.pages.content import Chart, Curve
from artcluster.pages.findings import Block, Findings, Section, Table
from artcluster.workflows.job import Job
from artcluster.workflows.studies.pieces import in_words
from artcluster.workflows.studies.record import Study, write_files

_SHOWN_PX = 96

"""Smaller squares are shown enlarged."""


@dataclass(frozen=True)
class Example:
    """Squares of a genre and their reconstructions.

    Attributes:
        genre: The genre.
        rows: uint8 RGB (N, side, side, 3): the originals, then what each training made of them.
        paths: Paths of their pictures.
        losses: Errors of each square, one a training.
    """

    genre: str
    rows: Sequence[np.ndarray]
    paths: Sequence[str]
    losses: Sequence[Sequence[float]]


def gallery(example: Example, number: int) -> Gallery:
    """Return the squares of a genre, the `number`th on its page."""
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
            for name, told in results["trainings"].items()
            for epoch, (loss, validation) in enumerate(_pairs(told))
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
            f"Validated on {results['validation']:,} squares of pictures that were not trained on.",
            _curves(results),
        ),
        Section(
            "Loss by genre",
            "Whether what is rare is reconstructed worse. The loss is of the validation squares; "
            "the frequency is of training squares.",
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
            "Validation squares of each genre, from the one reconstructed best to the worst. "
            f"Above the original, below it what the code of {results['code']:,} numbers gives back"
            + (", then the same after training with augmentation." if augmented else "."),
            [gallery(example, number) for number, example in enumerate(examples[:_MOST_GALLERIES])],
        )
    )
    return Findings(
        f"Genres of {results['archive_id']}, by reconstruction",
        f"An autoencoder ({results['network']}) brings squares of {results['input_px']} px down to "
        f"{results['code']:,} numbers, 1/{results['input_numbers'] / results['code']:.3g} of them, "
        f"and back. How well that goes, by “{results['label']}”.",
        sections,
        f"Study {study.study_id} · {results['images']:,} images, {results['squares']:,} squares · "
        f"scan {study.facts['scan_id']}",
    )


def _trainings(results: Mapping[str, Any]) -> Table:
    return Table(
        "",
        ("Training", "Steps", "Squares", "Altered copies", "Loss", "Validation loss"),
        [
            (
                _NAMES[name],
                f"{told['steps']:,}",
                f"{results['training']:,}",
                f"{told['copies']:,}",
                loss_figure(told["loss"]),
                loss_figure(told["validation_loss"]),
            )
            for name, told in results["trainings"].items()
        ],
        text="Mean squared error of the trained network over unaltered squares.",
    )


def _pairs(told: Mapping[str, Any]) -> list[tuple[float, float | None]]:
    validated = told["validation_losses"] or [None] * len(told["losses"])
    return list(zip(told["losses"], validated, strict=True))


def _findings(results: Mapping[str, Any]) -> list[str]:
    plain = results["trainings"]["plain"]
    found = [
        f"{results['images']:,} images in {len(results['genres']):,} genres gave "
        f"{results['squares']:,} squares: {results['training']:,} to train on and "
        f"{results['validation']:,} to validate on. {results['sliced']:,} large pictures were cut "
        f"into slices, {results['faces']:,} portraits cropped to a face.",
        f"After {plain['steps']:,} steps the loss is {loss_figure(plain['loss'])} in training and "
        f"{loss_figure(plain['validation_loss'])} in validation (the paper, on WikiArt and 140 "
        "epochs: 0.0018 in both).",
    ]
    correlation = results["correlation"]
    if correlation is None:
        found.append("Too few genres differ in frequency to say whether it goes with the loss.")
    else:
        found.append(
            f"Over {correlation['count']} genres the loss and the logarithm of the frequency "
            f"correlate by {correlation['pearson']:.2f} (Pearson), by ranks "
            f"{correlation['spearman']:.2f} (Spearman): "
            + _in_words(correlation["spearman"], correlation["count"])
        )
    effect = results["effect"]
    if effect is not None and effect["change"] is not None:
        found.append(
            f"Augmentation changed the validation loss by {effect['change']:+.1%}; "
            f"{effect['better']:,} of {results['validation']:,} squares and "
            f"{effect['genres_better']:,} of {len(results['genres']):,} genres got better. The "
            "paper: no improvement on the whole."
        )
    elif "augmented" not in results["trainings"]:
        found.append("No genre was rare enough to be augmented (study.genres.augment_to).")
    if results["missing"]:
        told = in_words(results["missing"])
        found.append(f"Left out, since they could not be read again: {told}.")
    return [*found, *results["notes"]]


def _in_words(spearman: float, count: int) -> str:
    if abs(spearman) < 0.3:
        return "no sign that rarer genres are reconstructed worse."
    strength = "clearly" if abs(spearman) >= 0.7 else "somewhat"
    worse = "worse" if spearman < 0 else "better"
    few = " Over so few genres chance alone does that easily." if count < 10 else ""
    return f"rarer genres are {strength} reconstructed {worse}.{few}"


def _curves(results: Mapping[str, Any]) -> list[Block]:
    blocks: list[Block] = []
    for name, told in results["trainings"].items():
        epochs = range(1, len(told["losses"]) + 1)
        curves = [Curve("training", list(zip(epochs, told["losses"], strict=True)))]
        if told["validation_losses"]:
            curves.append(
                Curve("validation", list(zip(epochs, told["validation_losses"], strict=True)))
            )
        text = (
            "" if name == "plain" else "Its training squares are other ones: altered copies, too."
        )
        blocks.append(Chart(_NAMES[name], text, "epochs", "loss", curves, log=True))
    return blocks


def _by_genre(results: Mapping[str, Any]) -> list[Block]:
    rows = results["genres"]
    measured = [row for row in rows if row["loss"] is not None]
    worst = max((row["loss"] for row in measured), default=None)
    table = Table(
        "",
        ("Genre", "Images", "Training squares", "Validation squares", "Training loss", "Loss"),
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
        text="The worst is in bold. A genre without validation squares has a single picture.",
    )
    if not measured:
        return [table]
    points = Points(
        "Loss against frequency",
        "training squares of the genre",
        "validation loss",
        [(row["genre"], row["training"], row["loss"]) for row in measured if row["training"]],
    )
    return [table, points]


def _effect(results: Mapping[str, Any]) -> Table:
    return Table(
        "",
        ("Genre", "Training squares", "Loss without", "Loss with", "Change", "Squares better"),
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
