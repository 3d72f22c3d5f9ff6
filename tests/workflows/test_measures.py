"""A measure is added in one place, and shows wherever measures do."""

import json
import re
import shutil
from pathlib import Path

import pytest

from artcluster.metrics.agreement import LabelAgreement
from artcluster.metrics.measures import LABEL_MEASURES, Measure
from artcluster.store import Store
from tests.cli.test_commands import run

QUICK = ("--executor", "in-process", "--set", "cluster.restarts=1", "--set", "map.iterations=5")


def purity(agreement: LabelAgreement) -> float:
    counts_CT = agreement.counts_CT
    return float(counts_CT.max(1).sum() / counts_CT.sum())


def test_a_new_label_measure_shows_everywhere(
    tried_once: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    meaning = "Share of images with the most frequent label of their cluster."
    toy = Measure("purity", "purity", meaning, "higher", purity, headline=True)
    monkeypatch.setitem(LABEL_MEASURES, "purity", toy)
    store = Path(shutil.copytree(tried_once, tmp_path / "copy")) / "store"

    given = ("--backbone", "color-histogram", "--method", "kmeans", "--k", "3", "--label", "genre")
    assert run("cluster", store, *QUICK, *given) == 0
    printed = capsys.readouterr().out
    (row,) = Store.open(store).table("runs").read(["metrics"]).to_pylist()
    value = json.loads(row["metrics"])["labels"]["genre"]["purity"]
    assert 0.5 <= value <= 1
    text = toy.text(value)
    assert re.search(r"label .* purity", printed)
    assert re.search(rf"genre .* {text}", printed)

    assert run("report", store, *QUICK) == 0
    overview = (store / "report/index.html").read_text()
    assert re.search(rf">Purity<.*>genre<.*>{text}<", overview, re.DOTALL)
    assert meaning in overview
    runs = (store / "report/runs.html").read_text()
    assert re.search(rf">Purity genre<.*>{text}<", runs, re.DOTALL)

    capsys.readouterr()
    given = ("--backbone", "color-histogram", "--methods", "kmeans", "--k", "3,4", "--no-baselines")
    assert run("compare", store, *QUICK, *given, "--label", "genre", "--out", tmp_path / "out") == 0
    assert "Highest purity, genre: kmeans" in capsys.readouterr().out
    markdown = (tmp_path / "out/comparison.md").read_text()
    assert "| purity, genre |" in markdown
    assert "comparison-figures/purity-genre.svg" in markdown
    assert "labels.genre.purity" in (tmp_path / "out/comparison.csv").read_text()
