"""The genre study, from a store to its page."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from artcluster.config import GenreSettings, from_settings, load_config
from artcluster.embedders.trained_networks import AUTOENCODERS
from artcluster.errors import UsageError
from artcluster.schema import EMBEDDERS, MODELS, STUDIES
from artcluster.store import Store
from artcluster.training.autoencoders import reconstruction_errors
from artcluster.training.reconstruction import ReconstructionConfig
from artcluster.training.solo import SoloWorker
from artcluster.workflows.studies import genre_training
from artcluster.workflows.studies.crops import load_numbers, load_shards
from artcluster.workflows.studies.genre_training import copies_of_rare, gather_genres
from artcluster.workflows.studies.genres import study_genres
from artcluster.workflows.studies.record import StudySummary, studies_of
from artcluster.workflows.viewing.report.history import copy_studies
from tests.browser import open_browser, visit
from tests.cli.test_commands import run
from tests.training.ranks import run_ranks
from tests.workflows.jobs import make_job

QUICK: dict[str, Any] = {
    "study__label": "genre",
    "study__genres__input_px": 16,
    "study__genres__min_steps": 0,
    "study__genres__max_steps": 12,
    "study__genres__batch_size": 8,
    "study__genres__validation_share": 0.25,
    "study__genres__slice_px": 200,
    "study__genres__max_slices": 6,
    "study__genres__augment_to": 20,
    "study__genres__max_copies": 4,
    "study__genres__examples": 2,
    "study__genres__face_genres": [],
}


@pytest.fixture(scope="module")
def made(studied: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudySummary]:
    store = tmp_path_factory.mktemp("genres") / "store"
    shutil.copytree(studied, store)
    return store, study_genres(make_job(store, **QUICK))


def test_counts_and_losses_are_those_of_the_pictures(made: tuple[Path, StudySummary]) -> None:
    store, summary = made
    found = summary.results
    rows = {row["genre"]: row for row in found["genres"]}
    assert {genre: row["images"] for genre, row in rows.items()} == {
        "still life": 12,
        "Portrait": 9,
        "<b>poster</b>": 3,
        "map": 2,
        "gone": 1,
    }
    # The pictures are 448 px and less; the one of 640×420 gives 3×2 slices, others 2×2 or fewer.
    assert found["sliced"] >= 1
    assert found["squares"] > found["images"] == 26
    assert found["missing"] == {"gone": 1}
    assert found["notes"] == ["1 of 28 images have no genre: left out."]
    assert rows["gone"]["loss"] is None
    assert all(rows[genre]["validation"] for genre in ("still life", "Portrait", "map"))
    # The same losses, by hand from the stored weights.
    job = make_job(store, **QUICK)
    data, _ = gather_genres(job, summary.study.facts["archive_id"], "genre")
    network = genre_training.load_network(
        job.store, f"{summary.study.part('plain')}.safetensors", "genre-cae", 16
    )
    mine = np.flatnonzero((data.genre_N == "Portrait") & data.validation_N)
    pixels = load_numbers(job.store, data.crops, mine.tolist(), 16)
    scaled = torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        loss = (network(scaled)[1] - scaled).square().mean().item()
    assert rows["Portrait"]["loss"] == pytest.approx(loss, rel=1e-5)
    told = found["trainings"]["plain"]
    assert (told["steps"], len(told["losses"])) == (12, len(told["validation_losses"]))
    assert told["validation_losses"][-1] == pytest.approx(told["validation_loss"], rel=1e-5)
    assert told["losses"][-1] < told["losses"][0]


def test_rare_genres_are_augmented_for_the_same_number_of_steps(
    made: tuple[Path, StudySummary],
) -> None:
    store, summary = made
    job = make_job(store, **QUICK)
    data, _ = gather_genres(job, summary.study.facts["archive_id"], "genre")
    copies = copies_of_rare(data, job.config.study.genres)
    trained = np.flatnonzero(~data.validation_N)
    counts = {
        genre: int((data.genre_N[trained] == genre).sum()) for genre in set(data.genre_N.tolist())
    }
    wanted = {genre: max(0, min(20 - n, 4 * n)) for genre, n in counts.items()}
    of_genre = [data.genre_N[copy.crop] for copy in copies]
    assert {genre: of_genre.count(genre) for genre in counts} == wanted
    assert not data.validation_N[[copy.crop for copy in copies]].any()
    augmented = summary.results["trainings"]["augmented"]
    assert augmented["copies"] == len(copies) == sum(wanted.values()) > 0
    assert augmented["steps"] == summary.results["trainings"]["plain"]["steps"]
    # Shards hold every training crop once, then the copies; loading again gives the same.
    shards = load_shards(job.store, data.crops, trained, 16, copies, seed=0)
    loaded = np.concatenate([shard() for shard in shards])
    assert len(loaded) == len(trained) + len(copies)
    np.testing.assert_array_equal(
        loaded[: len(trained)], load_numbers(job.store, data.crops, trained.tolist(), 16)
    )
    np.testing.assert_array_equal(loaded, np.concatenate([shard() for shard in shards]))
    # No picture has crops on both sides.
    sides = [set(data.crops.picture_N[data.validation_N == side]) for side in (True, False)]
    assert not sides[0] & sides[1]


def test_workers_change_nothing_but_speed(made: tuple[Path, StudySummary]) -> None:
    """Validation, too, is divided among them."""
    store, summary = made
    job = make_job(store, **QUICK)
    data, _ = gather_genres(job, summary.study.facts["archive_id"], "genre")
    shards = load_shards(job.store, data.crops, np.flatnonzero(~data.validation_N), 16)
    loop = genre_training.TrainGenres(
        "genre-cae",
        from_settings(
            ReconstructionConfig, GenreSettings(epochs=2, min_steps=0), seed=0, dtype="float64"
        ),
        16,
        tuple(load_shards(job.store, data.crops, np.flatnonzero(data.validation_N), 16)),
        None,
    )
    arrays = [shard() for shard in shards]
    _, alone = loop(SoloWorker(arrays))
    assert len(alone["validation_losses"]) == 2
    for _, together in run_ranks(2, arrays, loop):
        np.testing.assert_allclose(together["losses"], alone["losses"], rtol=1e-9)
        np.testing.assert_allclose(
            together["validation_losses"], alone["validation_losses"], rtol=1e-9
        )


def test_files_and_the_row_tell_the_same_and_nothing_leaks(
    made: tuple[Path, StudySummary],
) -> None:
    store, summary = made
    folder = store / "studies" / summary.study.study_id
    assert json.loads((folder / "genres.json").read_text()) == summary.results
    opened = Store.open(store)
    (row,) = opened.table(STUDIES).read().to_pylist()
    assert json.loads(row["results"]) == summary.results
    assert (row["kind"], row["label"], row["study_id"]) == (
        "genres",
        "genre",
        summary.study.study_id,
    )
    page = (folder / "index.html").read_text()
    assert "&lt;b&gt;poster" in page
    assert "<b>poster" not in page
    assert page.count("data:image/webp;base64,") == 4
    text = (folder / "genres.md").read_text()
    assert "![Loss against frequency](genres-figures/loss-against-frequency.svg)" in text
    for name in ("loss-against-frequency.svg", "reconstructions-1.webp", "with-augmentation.svg"):
        assert (folder / "genres-figures" / name).stat().st_size > 500
    curves = (folder / "curves.csv").read_text().splitlines()
    assert curves[0] == "training,epoch,loss,validation_loss"
    assert not opened.table(MODELS).read(["model_id"]).num_rows
    names = opened.table(EMBEDDERS).read(["name"])["name"].to_pylist()
    assert names == ["color-histogram"]


def test_the_same_study_again_is_done_already(
    made: tuple[Path, StudySummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, summary = made
    monkeypatch.setattr(genre_training, "train_cae", None)
    again = study_genres(make_job(store, **QUICK))
    assert again.already
    assert again.results == summary.results
    archive_id = summary.study.facts["archive_id"]
    (listed,) = studies_of(Store.open(store), archive_id)
    assert listed.study.study_id == summary.study.study_id


def test_the_command_prints_what_was_found(
    made: tuple[Path, StudySummary], capsys: pytest.CaptureFixture[str]
) -> None:
    store, summary = made
    sets = [
        part
        for name, value in QUICK.items()
        for part in ("--set", f"{name.replace('__', '.')}={json.dumps(value)}")
    ]
    command = ("study", "genres", store, "--executor", "in-process", *sets)
    assert run(*command) == 0
    text = capsys.readouterr().out
    for words in ("was made before", "26 images in 5 genres"):
        assert words in text
    assert f"studies/{summary.study.study_id}/index.html" in "".join(text.split())
    assert run(*command, "--json") == 0
    assert json.loads(capsys.readouterr().out)["results"] == summary.results
    assert run("study", "genres", store, "--executor", "in-process", "--label", "period") == 2
    assert "'period': no such column" in capsys.readouterr().err
    for kind in ("genres", "backbones"):
        assert run("study", kind, "--help") == 0
        text = capsys.readouterr().out
        assert "Examples:" in text
        assert f"artcluster study {kind} store/" in text


@pytest.mark.parametrize(("scheme", "phone"), [("light", False), ("dark", True)])
def test_a_report_has_its_page_which_loads_clean(
    made: tuple[Path, StudySummary], tmp_path: Path, scheme: str, phone: bool
) -> None:
    store, summary = made
    (tmp_path / "studies").mkdir()
    ((address, title, _),) = copy_studies(
        Store.open(store),
        summary.study.facts["archive_id"],
        lambda path, data: (tmp_path / path).write_bytes(data),
    )
    assert title == "Genres by reconstruction, by genre"
    with open_browser() as browser, visit(browser, scheme=scheme, phone=phone) as visited:
        page = visited.page
        page.goto(f"file://{tmp_path}/{address}")
        assert page.locator("h1").inner_text().endswith(", by reconstruction")
        assert page.locator("figure.squares img").count() == 4
        assert page.locator("svg.chart").count() == 3
        sizes = page.evaluate("[...document.images].map((image) => image.naturalWidth)")
        assert all(sizes)
        assert page.evaluate("document.documentElement.scrollWidth") <= (390 if phone else 1280)
        assert visited.wrong == []
        assert [url for url in visited.requests if not url.startswith(("file:", "data:"))] == []


def without_studies(made: Path, target: Path) -> Path:
    """Copy a store as it was when its pictures were decoded, and nothing trained yet."""
    shutil.copytree(made, target, ignore=shutil.ignore_patterns("studies", "checkpoints"))
    return target


def test_a_killed_study_goes_on(
    made: tuple[Path, StudySummary],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    far_away: None,
) -> None:
    """Killed after the first training and decoding: neither is done again."""
    store = without_studies(made[0], tmp_path / "store")
    real = genre_training.train_cae
    trainings = []

    def dies_second(*arguments: Any, **named: Any) -> Any:
        trainings.append(1)
        if len(trainings) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    monkeypatch.setattr(genre_training, "train_cae", dies_second)
    with pytest.raises(KeyboardInterrupt):
        study_genres(make_job(store, cluster__workers=2, **QUICK))
    assert not Store.open(store).table(STUDIES).read().num_rows
    pixels = {file: file.stat().st_mtime_ns for file in (store / "pixels").rglob("*")}
    resumed = study_genres(make_job(store, cluster__workers=2, **QUICK))
    assert len(trainings) == 3
    assert pixels == {file: file.stat().st_mtime_ns for file in (store / "pixels").rglob("*")}
    for name, told in made[1].results["trainings"].items():
        np.testing.assert_allclose(resumed.results["trainings"][name]["losses"], told["losses"])


def test_grey_and_pooled_without_augmentation(
    made: tuple[Path, StudySummary], tmp_path: Path
) -> None:
    settings = {
        "study__genres__colours": "grey",
        "study__genres__pool_below": 4,
        "study__genres__max_steps": 2,
        "study__genres__augment_to": 0,
    }
    job = make_job(without_studies(made[0], tmp_path / "store"), **{**QUICK, **settings})
    found = study_genres(job).results
    assert found["network"] == "genre-cae-grey"
    assert {row["genre"]: row["images"] for row in found["genres"]} == {
        "still life": 12,
        "Portrait": 9,
        "others": 6,
    }
    assert list(found["trainings"]) == ["plain"]
    assert found["effect"] is None


def test_what_cannot_be_studied_is_said(studied: Path) -> None:
    with pytest.raises(UsageError, match="a study needs --label"):
        study_genres(make_job(studied))
    with pytest.raises(UsageError, match=r"no such column of the metadata; it has .*genre, style"):
        study_genres(make_job(studied, study__label="period"))
    with pytest.raises(UsageError, match="cae sees colours: choose genre-cae"):
        load_config(flags={"study.genres.network": "cae", "study.genres.colours": "grey"})


def test_the_error_of_each_picture_averages_its_pixels() -> None:
    network = AUTOENCODERS["genre-v2"](input_px=16, seed=0)
    pixels = np.random.default_rng(0).integers(0, 256, (70, 16, 16, 3), dtype=np.uint8)
    errors = torch.cat(list(reconstruction_errors(network, [pixels], torch.device("cpu"))))
    scaled = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        expected = (network(scaled)[1] - scaled).square().flatten(1).mean(1)
    torch.testing.assert_close(errors, expected.double(), rtol=1e-5, atol=1e-7)
