"""The study of backbones for people: a page, Markdown, CSV and JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from artcluster.pages.content import Chart, Curve
from artcluster.pages.findings import Block, Findings, FindingsTable, Heat, Section
from artcluster.workflows.job import Job
from artcluster.workflows.studies.crops import in_words
from artcluster.workflows.studies.record import Study, write_files

_SKEWED = 0.5
_STOPPED = {
    "patience": "the validation loss no longer fell",
    "max_epochs": "study.backbones.max_epochs",
    "max_steps": "study.backbones.max_steps",
}


def write_backbones(job: Job, study: Study, results: Mapping[str, Any]) -> None:
    """Write what a study of backbones found."""
    names = [row["class"] for row in results["classes"]]
    measures = ("phase", "loss", "accuracy", "validation_loss", "validation_accuracy")
    curves = [
        ("backbone", "epoch", *measures),
        *(
            (each["backbone"], number + 1, *(epoch[name] for name in measures))
            for each in results["backbones"]
            for number, epoch in enumerate(each["epochs"])
        ),
    ]
    cells = [
        ("backbone", "label", "said", "images"),
        *(
            (each["backbone"], label, said, count)
            for each in results["backbones"]
            for label, counts in zip(names, each["confusion"], strict=True)
            for said, count in zip(names, counts, strict=True)
        ),
    ]
    left_out = ("epochs", "confusion", "head_confusion")
    rows = [
        {name: value for name, value in each.items() if name not in left_out}
        for each in results["backbones"]
    ]
    tables = {"curves.csv": curves, "confusion.csv": cells}
    write_files(job, study, backbone_findings(study, results), results, rows, tables)


def backbone_findings(study: Study, results: Mapping[str, Any]) -> Findings:
    """Return what a page says of a study of backbones."""
    settings = study.facts["settings"]
    sections = [
        Section("What came out", "", [_overview(results)], _findings(results)),
        Section(
            "Learning curves",
            "First the head alone learns on the frozen backbone (Adam, "
            f"{settings['learning_rate']:g}), then its last convolutional block with it "
            f"({settings['fine_tuning_rate']:g}). "
            f"Each phase ends after {settings['patience']} epochs without a lower validation "
            "loss; the weights of its best epoch go on. Losses in training are with dropout, so "
            "they may lie above those in validation.",
            [chart for each in results["backbones"] for chart in _curves(each)],
        ),
        Section(
            "Confusion matrices",
            "Rows are the labels, columns what the fine-tuned network said; each row adds up to "
            "100 % of its validation images.",
            [_confusion(each, results) for each in results["backbones"]],
        ),
        Section("Classes", "", [_classes(results)]),
    ]
    return Findings(
        f"Backbones on {results['archive_id']}, by {results['label']}",
        f"How well networks tell {len(results['classes'])} values of “{results['label']}” apart "
        "after fine-tuning on them. Supervised, to judge the networks: nothing of it is used for "
        "clusters.",
        sections,
        f"Study {study.study_id} · {results['training']:,} training and "
        f"{results['validation']:,} validation images, stratified · scan {study.facts['scan_id']}",
    )


def _overview(results: Mapping[str, Any]) -> FindingsTable:
    found = results["backbones"]
    most = max(each["accuracy"] for each in found)
    rows = [
        (
            each["backbone"],
            f"{each['accuracy']:.1%}",
            "{:.0%}–{:.0%}".format(*each["accuracy_interval"]),
            f"{each['balanced_accuracy']:.1%}",
            f"{each['head_accuracy']:.1%}",
            f"{each['loss']:.3f}",
            " + ".join(str(_length(each, phase)) for phase in (1, 2)),
            f"{each['trained_parameters'][1]:,}",
        )
        for each in found
    ]
    return FindingsTable(
        "",
        (
            "Backbone",
            "Accuracy",
            "95 % interval",
            "Balanced",
            "Head alone",
            "Validation loss",
            "Epochs",
            "Trained numbers",
        ),
        rows,
        best=frozenset((n, 1) for n, each in enumerate(found) if each["accuracy"] == most),
        text="Of the validation images. Balanced accuracy is the mean over classes. The interval "
        "is Wilson's: what the number of validation images allows to say.",
    )


def _findings(results: Mapping[str, Any]) -> list[str]:
    sentences = [
        f"Baselines: {results['chance']:.1%} by chance, {results['majority']:.1%} by always "
        "predicting the most frequent class."
    ]
    if results["majority"] > _SKEWED:
        sentences.append(
            "One class is more frequent than all others together: read the balanced accuracy, "
            "which counts every class alike."
        )
    for each in results["backbones"]:
        change = each["accuracy"] - each["head_accuracy"]
        ends = {_STOPPED[reason] for reason in each["stopped"]}
        epoch = each["epochs"][each["best"][1]]
        sentences.append(
            f"{each['backbone']}: training the last block, too, changed the accuracy by "
            f"{100 * change:+.1f} points, to {each['accuracy']:.1%}; at its best epoch the loss "
            f"was {epoch['loss']:.2f} in training and {epoch['validation_loss']:.2f} in "
            f"validation. It ended since {' and '.join(sorted(ends))}"
            + (" was reached." if ends != {_STOPPED["patience"]} else ".")
        )
    if results["missing"]:
        left_out = in_words(results["missing"])
        sentences.append(f"Left out, since they could not be read again: {left_out}.")
    return [*sentences, *results["notes"]]


def _length(each: Mapping[str, Any], phase: int) -> int:
    return sum(epoch["phase"] == phase for epoch in each["epochs"])


def _curves(each: Mapping[str, Any]) -> list[Chart]:
    epochs: Sequence[Mapping[str, Any]] = each["epochs"]
    fine = _length(each, 1) + 1
    text = f"The last block is trained from epoch {fine} on."

    def curve(title: str, name: str) -> Curve:
        return Curve(title, [(number + 1, epoch[name]) for number, epoch in enumerate(epochs)])

    return [
        Chart(
            f"{each['backbone']}: loss",
            text,
            "epochs",
            "cross-entropy",
            [curve("training", "loss"), curve("validation", "validation_loss")],
        ),
        Chart(
            f"{each['backbone']}: accuracy",
            text,
            "epochs",
            "share right",
            [curve("training", "accuracy"), curve("validation", "validation_accuracy")],
        ),
    ]


def _confusion(each: Mapping[str, Any], results: Mapping[str, Any]) -> Block:
    names = [row["class"] for row in results["classes"]]
    cells = []
    for counts in each["confusion"]:
        total = max(1, sum(counts))
        cells.append(
            [(f"{count / total:.0%}", count / total) if count else None for count in counts]
        )
    rows = [f"{name} ({sum(c):,})" for name, c in zip(names, each["confusion"], strict=True)]
    return Heat(each["backbone"], results["label"], names, rows, cells)


def _classes(results: Mapping[str, Any]) -> FindingsTable:
    return FindingsTable(
        "",
        ("Class", "Images", "Training", "Validation"),
        [
            (row["class"], *(f"{row[name]:,}" for name in ("images", "training", "validation")))
            for row in results["classes"]
        ],
    )
