"""`artcluster plan` over real pictures: counts, what it rests on, settings that a job takes."""

import json
from pathlib import Path

import pytest

from artcluster.cli import main
from artcluster.config import load_config
from tests.workflows.jobs import copy_pictures

QUICK = ("--probe-seconds", 0.2)
HISTOGRAM = ("--backbone", "color-histogram")
MOBILENET = ("--backbone", "random:mobilenet_v2", "--set", "embed.engine=torch")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plan") / "images"
    copy_pictures(folder, 20)
    (folder / "page.jpg").write_text("<html>not found</html>")
    return folder


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(str(ended.value.code))


def test_a_plan_counts_samples_measures_and_proposes(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, settings = tmp_path / "store", tmp_path / "settings.yaml"
    machines = ("--cpus", 2, "--memory-gb", 16, "--out", settings)
    assert run("plan", pictures, store, *QUICK, *HISTOGRAM, *machines, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["listed"], found["new"], found["todo"]) == (21, 21, 21)
    assert found["measured"]["found"]["sample"]["pictures"] == 21
    assert found["measured"]["found"]["sample"]["rejects"] == {"not-an-image": 1}
    assert sum(found["measured"]["found"]["sample"]["formats"].values()) == 20
    assert found["measured"]["sizing"]["images_per_s"] > 0
    assert not store.exists()
    config = load_config(settings)
    assert (
        config.embed.part_images == found["measured"]["sizing"]["settings"]["embed"]["part_images"]
    )
    given = ("--executor", "in-process", *HISTOGRAM, "--config", settings)
    assert run("embed", pictures, store, *given) == 0
    capsys.readouterr()
    assert run("plan", pictures, store, *QUICK, *HISTOGRAM) == 0
    assert "Nothing is new" in capsys.readouterr().out


def test_figures_of_others_are_marked_as_such(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    machines = ("--cpus", 16, "--gpus", 1)
    assert run("plan", pictures, store, *QUICK, *MOBILENET, *machines, "--gpu", "rtx4090") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "NOT measured by this project" in out
    assert "gpus_per_worker: 1.0" in out
    assert run("plan", pictures, store, *QUICK, *MOBILENET, *machines, "--gpu", "abacus") == 2
    assert "rtx4090" in capsys.readouterr().err
    assert run("plan", pictures, store, *MOBILENET, "--gpus", 0, "--gpu", "rtx4090") == 2
    assert "--gpus" in capsys.readouterr().err
    assert run("plan", pictures, store, *QUICK, *MOBILENET, *machines, "--gpu-rate", 100) == 0
    assert "--gpu-rate" in capsys.readouterr().out
