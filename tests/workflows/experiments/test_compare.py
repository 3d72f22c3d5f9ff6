"""Comparisons: the same images and measures for all, labels late, pages that open from disk."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.schema import COMPARISONS, RUNS, TRIALS
from artcluster.store import Store
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.experiments.compare import (
    ComparisonSpec,
    MethodComparison,
    make_comparison,
)
from artcluster.workflows.experiments.compare_page import comparison_findings
from artcluster.workflows.experiments.findings_files import write_findings
from artcluster.workflows.experiments.labels import LabelChoice, Mapped, Top, read_mapping
from artcluster.workflows.experiments.method_spec import Preset, parse_method, parse_methods
from artcluster.workflows.experiments.sweep import make_sweep
from artcluster.workflows.viewing.report.make import make_report
from tests.browser import open_browser, visit
from tests.cli.test_commands import run
from tests.workflows.experiments.tried import PICTURES, quick_job

PERIOD = Mapped("style", "period", {"cubism": "modern", "<b>baroque</b>": "old"})
LABELS = LabelChoice(("genre", "style"), (PERIOD,), {"genre": Top(1)})
NAMES = ["kmeans+scaling=none", "dcec-paint", "cae-kmeans"]


def asked(**changes: object) -> ComparisonSpec:
    given: dict[str, object] = {
        "methods": parse_methods(",".join(NAMES)),
        "ks": [2, 3],
        "seeds": [0, 1],
        "labels": LABELS,
        "baselines": False,
    }
    return ComparisonSpec(**{**given, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def tried(tried_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    return Path(shutil.copytree(tried_once, folder / "copy")) / "store"


@pytest.fixture(scope="module")
def compared(tried: Path) -> MethodComparison:
    return make_comparison(quick_job(tried), asked(), embedder="color-histogram")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


def test_all_are_measured_alike(tried: Path, compared: MethodComparison) -> None:
    assert compared.names == NAMES
    assert len(compared.rows) == len(NAMES) * 2 * 2
    assert (compared.ks, compared.seeds, compared.points) == ([2, 3], [0, 1], PICTURES)
    assert Store.open(tried).table(RUNS).rows() == 0
    for row in compared.rows:
        assert -1 <= row["silhouette_common"] <= 1
        assert row["seconds"] > 0
        assert row["peak_bytes"] is None or row["peak_bytes"] > 10_000_000
        genre, style, period = (row["labels"][name] for name in compared.labels)
        assert genre["labelled_count"] == PICTURES
        assert style["labelled_count"] == period["labelled_count"] == PICTURES * 2 // 3
        assert style["nmi"] == pytest.approx(period["nmi"])
        assert 0 < style["non_empty"] <= row["k"]


def test_measures_are_those_of_a_run(
    tried: Path, compared: MethodComparison, tmp_path: Path
) -> None:
    settings = {"cluster__method": "kmeans", "cluster__k": 3, "cluster__labels": ["style"]}
    made = cluster_archive(quick_job(tried, **settings), None, "color-histogram")
    row = next(r for r in compared.rows if (r["name"], r["k"], r["seed"]) == (NAMES[0], 3, 0))
    for name in ("silhouette", "calinski_harabasz", "inertia", "non_empty"):
        assert row[name] == pytest.approx(made.metrics[name])
    for name in ("accuracy", "nmi", "ari"):
        assert row["labels"]["style"][name] == pytest.approx(made.metrics["labels"]["style"][name])


def test_other_labels_need_no_further_fit(tried: Path, compared: MethodComparison) -> None:
    store = Store.open(tried)
    fits = store.table(TRIALS).rows()
    again = make_comparison(quick_job(tried), asked(), embedder="color-histogram")
    assert again.already
    methods = parse_methods(NAMES[0])
    late = asked(labels=LabelChoice(("genre",)), methods=methods)
    other = make_comparison(quick_job(tried), late, embedder="color-histogram")
    assert not other.already
    assert other.comparison_id != compared.comparison_id
    assert store.table(TRIALS).rows() == fits
    assert store.table(COMPARISONS).rows() == len(compared.rows) + len(other.rows)


def test_a_subset_by_metadata_with_baselines(tried: Path) -> None:
    methods = [parse_method("kmeans")]
    found = make_comparison(
        quick_job(tried),
        asked(methods=methods, seeds=[0], where="style = 'cubism' -- the moderns", baselines=True),
        embedder="color-histogram",
    )
    assert found.names == ["kmeans", "kmeans@color-histogram", "kmeans@random:mobilenet_v2"]
    assert found.points == found.sampled_from == PICTURES // 3
    one, same = (next(r for r in found.rows if r["name"] == name) for name in found.names[:2])
    assert one["trial_id"] == same["trial_id"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"where": "styl = 'cubism'"}, "styl"),
        ({"where": "style = 'nothing'"}, "no image"),
        ({"labels": LabelChoice(("magic",))}, "magic"),
        ({"labels": LabelChoice(("style",), (), {"genre": Top(2)})}, "--top genre"),
        ({"ks": [2, 99]}, "only 24"),
        ({"methods": []}, "at least one"),
        ({"methods": [parse_method("dcec@cae")]}, "a network of its own"),
        ({"methods": [parse_method("kmeans@faces")]}, "this takes faces"),
        ({"methods": [parse_method("guided")]}, r"cluster\.hints=FILE"),
        (
            {"methods": [parse_method("kmeans+count_duplicates=true")]},
            "distinct images, each once",
        ),
    ],
)
def test_wrong_use(tried: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_comparison(quick_job(tried), asked(**changes), embedder="color-histogram")


@pytest.mark.parametrize("text", ["magic", "kmeans@", "kmeans+scaling", "kmeans+k=3", "kmeans+a=["])
def test_wrong_methods(text: str) -> None:
    with pytest.raises(UsageError, match="--methods"):
        parse_method(text)


def test_presets_hold_and_the_command_line_is_stronger(tmp_path: Path) -> None:
    (tmp_path / "kmeans.yaml").write_text(
        "embed: {backbone: resnet50}\ncluster: {method: kmeans, k: 9, scaling: unit, restarts: 3}\n"
    )
    base = quick_job(tmp_path / "store").config
    spec = parse_method("kmeans+restarts=4")
    config = spec.config(base, Preset(tmp_path, (("cluster.restarts", 5),)), 2, 7)
    assert (config.cluster.k, config.cluster.seed, config.cluster.scaling) == (2, 7, "unit")
    assert config.cluster.restarts == 4
    assert config.embed.backbone == base.embed.backbone
    plain = parse_method("kmeans").config(base, Preset(tmp_path, (("cluster.restarts", 5),)), 2, 7)
    assert plain.cluster.restarts == 5


def test_label_files(tmp_path: Path) -> None:
    file = tmp_path / "periods.csv"
    file.write_text("style,period\ncubism, modern\nbaroque,old\n")
    assert read_mapping("style", str(file), {}) == Mapped(
        "style", "period", {"cubism": "modern", "baroque": "old"}
    )
    for text in ("style,period\n", "a,b,c\n1,2,3\n", "style,p\na,x\na,y\n"):
        file.write_text(text)
        with pytest.raises(UsageError, match="--map"):
            read_mapping("style", str(file), {})
    with pytest.raises(UsageError, match="no file"):
        read_mapping("style", str(tmp_path / "nowhere.csv"), {})


def test_its_files(
    tried: Path, compared: MethodComparison, tmp_path: Path, browser: Browser
) -> None:
    told = comparison_findings(Store.open(tried), compared)
    files = write_findings(
        Location.parse(tmp_path), "comparison", told, vars(compared), compared.rows
    )
    text = Path(files.markdown).read_text()
    for words in (
        "Table 1: performance of DCEC-Paint",
        "| k | CAE+k-means ss | CAE+k-means chs | DCEC-Paint ss | DCEC-Paint chs |",
        "Highest stability",
        "comparison-figures/maps.svg",
    ):
        assert words in text
    with Path(files.table).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(compared.rows)
    assert float(rows[0]["labels.genre.nmi"]) == compared.rows[0]["labels"]["genre"]["nmi"]
    assert len(json.loads(Path(files.data).read_text())["rows"]) == len(rows)
    for svg in (tmp_path / "comparison-figures").iterdir():
        assert svg.read_text().startswith("<svg xmlns=")
    for scheme in ("light", "dark"):
        with visit(browser, scheme=scheme, phone=scheme == "dark") as visited:
            page = visited.page
            page.goto(f"file://{files.page}")
            expect(page.locator("h1")).to_have_text(told.title)
            assert page.locator("svg.scatter").count() == len(NAMES) * 2
            assert page.evaluate("document.documentElement.scrollWidth") <= (
                390 if scheme == "dark" else 1280
            )
            before = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
            page.get_by_label("Switch between light and dark").click()
            after = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
            assert before != after
            assert visited.wrong == []
            assert [url for url in visited.requests if not url.startswith("data:")] == [page.url]


def test_the_report_shows_them(tried: Path, compared: MethodComparison, browser: Browser) -> None:
    make_sweep(quick_job(tried), [2, 3, 4], method="kmeans", embedder="color-histogram")
    job = quick_job(tried, cluster__method="kmeans", cluster__k=2)
    cluster_archive(job, None, "color-histogram")
    made = make_report(job, None, None, None)
    with visit(browser) as visited:
        page = visited.page
        page.goto(f"file://{made.first_page}")
        page.get_by_role("link", name="Choosing k").click()
        expect(page.locator("h1")).to_have_text("Choosing the number of clusters: kmeans")
        page.get_by_role("link", name="Methods").click()
        assert page.locator("svg.scatter").count() >= len(NAMES) * 2
        assert visited.wrong == []


def test_commands(tried: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a person runs them: help with examples, tables, JSON alone, and files where asked."""
    quick = ("--executor", "in-process", "--set", "cluster.restarts=1", "--set", "map.iterations=5")
    quick += ("--backbone", "color-histogram", "--k", "2,3")
    for command in ("sweep", "compare", "profile"):
        assert run(command, "--help") == 0
        assert f"artcluster {command}" in capsys.readouterr().out
    out = tmp_path / "out"
    own = ("--method", "pca-kmeans", "--set", "embed.input_px=32")
    given = (*own, "--resamples", "1", "--out", out)
    assert run("sweep", tried, *quick, *given) == 0
    assert "recommended" in capsys.readouterr().out
    assert (out / "sweep.csv").exists()
    given = ("--methods", "kmeans", "--no-baselines", "--label", "style", "--top", "style=1,drop")
    assert run("compare", tried, *quick, *given, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["k"] for row in found["rows"]] == [2, 3]
    assert found["rows"][0]["labels"]["style"]["labelled_count"] == PICTURES // 3
    assert Path(found["files"]["page"]).is_relative_to(tried / "findings")
    assert run("profile", tried, "--executor", "in-process", "--json") == 0
    assert json.loads(capsys.readouterr().out)["images"] == PICTURES
    assert run("compare", tried, *quick, "--methods", "magic") == 2
    assert "expected METHOD" in capsys.readouterr().err
