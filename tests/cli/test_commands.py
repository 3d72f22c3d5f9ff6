"""The command line as a person uses it: output, exit codes, errors that say what to do."""

import json
from pathlib import Path

import pytest

from artcluster.cli import main
from tests.workflows.jobs import copy_pictures

LOCAL = ("--executor", "in-process")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    copy_pictures(folder / "images", 12)
    (folder / "images" / "page.jpg").write_text("<html>not found</html>")
    return folder / "images"


@pytest.fixture(scope="module")
def store(pictures: Path) -> Path:
    place = pictures.parent / "store"
    assert run("run", pictures, place, *LOCAL, *HISTOGRAM, "--method", "kmeans", "--k", "3") == 0
    return place


HISTOGRAM = ("--backbone", "color-histogram")


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(str(ended.value.code))


@pytest.mark.parametrize(
    "command",
    ["run", "embed", "cluster", "assign", "status", "rejects", "vacuum", "package", "duplicates"],
)
def test_help_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    text = capsys.readouterr().out
    assert "Examples:" in text
    assert f"artcluster {command}" in text


def test_a_run_prints_what_it_found(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (*LOCAL, *HISTOGRAM, "--method", "kmeans", "--k", "3")
    assert run("run", pictures, tmp_path / "store", *arguments) == 0
    out, err = capsys.readouterr()
    for words in ("not-an-image", "12", "silhouette", "Calinski-Harabasz", "Time per stage (s)"):
        assert words in out
    assert "Listed 13 files" in err
    assert run("run", pictures, tmp_path / "store", *arguments) == 0
    assert "nothing new" in capsys.readouterr().out


def test_json_is_json_alone(
    store: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("cluster", store, *LOCAL, "--method", "kmeans", "--k", "2", "--json") == 0
    found = json.loads(capsys.readouterr().out)["clustering"]
    assert sum(found["sizes"].values()) == 12
    assert run("status", store, "--json") == 0
    assert json.loads(capsys.readouterr().out)["archives"][0]["rejects"] == {"not-an-image": 1}
    assert run("assign", store, pictures, "--json") == 0
    images = json.loads(capsys.readouterr().out)
    assert len(images) == 13
    assert sum(image["cluster"] is None for image in images) == 1


def test_a_dry_run_makes_no_store(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", pictures, tmp_path / "store", *LOCAL, *HISTOGRAM, "--dry-run") == 0
    out = capsys.readouterr().out
    assert "13" in out
    assert "expected" in out
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "nowhere", "STORE", *LOCAL, *HISTOGRAM], 2, "nowhere"),
        (["run", "IMAGES", "STORE", "--k", "1"], 2, "cluster.k"),
        (["run", "IMAGES", "STORE", "--set", "cluster.nope=1"], 2, "cluster.nope"),
        (["run", "IMAGES", "STORE", "--config", "nowhere.yaml"], 2, "nowhere.yaml"),
        (["run", "IMAGES", "STORE", "--method", "magic"], 2, "delius"),
        (["run", "IMAGES", "STORE", *LOCAL, "--backbone", "magic"], 2, "densenet121"),
        (["run", "IMAGES"], 2, "STORE"),
        (["frobnicate"], 2, "frobnicate"),
        (["rum", "IMAGES", "STORE"], 2, "Did you mean 'run'"),
        (["cluster", "STORE", "--method", "kmeens"], 2, "did you mean 'kmeans'"),
        (["cluster", "STORE", "--set", "cluster.sead=1"], 2, "did you mean 'seed'"),
        (["cluster", "STORE", *LOCAL], 2, "no store"),
        (["status", "IMAGES"], 2, "not a store"),
        (["assign", "STORE", "a.jpg"], 2, "no store"),
        (["run", "IMAGES", "IMAGES/..", *LOCAL, *HISTOGRAM], 2, "is not empty"),
    ],
)
def test_wrong_use_is_explained(
    arguments: list[str],
    code: int,
    words: str,
    pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"IMAGES": str(pictures), "STORE": str(tmp_path / "store")}
    places["IMAGES/.."] = str(pictures.parent)
    assert run(*(places.get(argument, argument) for argument in arguments)) == code
    err = capsys.readouterr().err
    assert words in err
    assert "Traceback" not in err


def test_no_end_is_without_words(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def exits(*_: object) -> None:
        raise SystemExit(0)

    monkeypatch.setattr("artcluster.workflows.clustering.cluster.choose_archive", exits)
    assert run("cluster", store, *LOCAL) == 1
    assert "ended this process by sys.exit(0)" in capsys.readouterr().err


def test_too_many_rejects_have_a_code_of_their_own(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ("--set", "images.max_reject_share=0.01")
    assert run("embed", pictures, tmp_path / "store", *LOCAL, *HISTOGRAM, *settings) == 3
    out, err = capsys.readouterr()
    assert "embedded now" in out
    assert "not-an-image: 1" in err


def test_assign_prints_a_table(
    store: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("assign", store, pictures / "page.jpg", sorted(pictures.iterdir())[0]) == 0
    assert "not-an-image" in capsys.readouterr().out
