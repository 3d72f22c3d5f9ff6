"""Profiles: counts against the metadata file, colours against a plain loop."""

import csv
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.metrics.correlation import mean_chi_square
from artcluster.schema import EMBEDDERS
from artcluster.store import Store
from artcluster.store.vectors import gather
from artcluster.workflows.experiments.findings_files import write_findings
from artcluster.workflows.studies import profile_colours as colours
from artcluster.workflows.studies.profile import ArchiveProfile, make_profile
from artcluster.workflows.studies.profile_page import profile_findings
from tests.browser import open_browser, visit
from tests.workflows.experiments.tried import PICTURES, quick_job


@pytest.fixture(scope="module")
def tried(tried_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("profile")
    return Path(shutil.copytree(tried_once, folder / "copy")) / "store"


@pytest.fixture(scope="module")
def profile(tried: Path) -> ArchiveProfile:
    return make_profile(quick_job(tried), None)


@pytest.fixture(scope="module")
def works(tried: Path) -> list[dict[str, str]]:
    with (tried.parent / "works.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


def test_counts(profile: ArchiveProfile, works: list[dict[str, str]]) -> None:
    assert (profile.images, profile.contents) == (PICTURES, PICTURES)
    genre, style, year = profile.columns
    expected = Counter(row["genre"] for row in works)
    assert dict(genre.values) == expected
    assert (style.filled, style.distinct) == (PICTURES * 2 // 3, 2)
    assert style.groups
    assert not year.groups
    assert profile.decades is not None
    decades = Counter(f"{(1600 + 5 * number) // 10 * 10}s" for number in range(PICTURES))
    assert dict(profile.decades.values) == decades
    assert [value for value, _ in profile.decades.values] == sorted(decades)


def test_styles_against_years_and_genres(
    profile: ArchiveProfile, works: list[dict[str, str]]
) -> None:
    by_year, by_genre = profile.crosses
    assert (by_year.row_column, by_year.column) == ("style", "year")
    assert sum(map(sum, by_year.counts)) == PICTURES * 2 // 3
    pairs = Counter((row["style"], row["genre"]) for row in works)
    for style, counts in zip(by_genre.rows, by_genre.counts, strict=True):
        assert counts == [pairs[style, genre] for genre in by_genre.columns]


def test_sizes(profile: ArchiveProfile) -> None:
    assert profile.sizes.known == sum(map(sum, profile.sizes.by_side)) == PICTURES
    widths = profile.sizes.quantiles["width (px)"]
    assert list(widths) == sorted(widths)
    assert sum(count for _, count in profile.sizes.formats) == PICTURES


def test_colours(tried: Path, profile: ArchiveProfile) -> None:
    store = Store.open(tried)
    (embedder_id,) = store.table(EMBEDDERS).read(["embedder_id"])["embedder_id"].to_pylist()
    ids, x = gather(store, embedder_id, None, limit_bytes=1 << 30)
    found = profile.colours
    assert found is not None
    with quick_open(tried) as tables:
        styles = dict(tables.sql("select content_id, style from latest").fetchall())
    groups = [x[[styles[i] == group for i in ids.to_pylist()]] ** 2 for group in found.groups]
    assert found.distances[0][0] == pytest.approx(mean_chi_square(groups[0]), rel=1e-5)
    assert found.distances[0][1] == found.distances[1][0]
    assert found.distances[0][1] == pytest.approx(mean_chi_square(groups[0], groups[1]), rel=1e-5)
    assert found.within == pytest.approx(np.mean([found.distances[0][0], found.distances[1][1]]))


def quick_open(store: Path):  # type: ignore[no-untyped-def]
    from artcluster.store.views import duckdb_connection

    return duckdb_connection(Store.open(store))


def test_pictures_are_read_where_no_histogram_is_known(
    tried: Path, profile: ArchiveProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small copies in their own shape, where stored vectors are of squashed ones: nearly alike."""
    monkeypatch.setattr(colours, "find_vectors", lambda *_: {})
    read = make_profile(quick_job(tried, profile__max_pictures=20), None).colours
    assert read is not None
    assert profile.colours is not None
    assert sum(read.sampled) == PICTURES * 2 // 3
    assert read.within == pytest.approx(profile.colours.within, abs=0.05)
    monkeypatch.undo()
    few = make_profile(quick_job(tried, profile__max_pictures=20), None, style="genre").colours
    assert few is not None
    assert max(few.sampled) <= 20 // len(few.groups)


def test_wrong_columns(tried: Path) -> None:
    with pytest.raises(UsageError, match="no metadata column 'artist'; there are: genre"):
        make_profile(quick_job(tried), None, style="artist")


def test_the_page(profile: ArchiveProfile, tmp_path: Path, browser: Browser) -> None:
    told = profile_findings(profile)
    files = write_findings(Location.parse(tmp_path), "profile", told, vars(profile))
    assert "style against year" in Path(files.markdown).read_text()
    with visit(browser) as visited:
        visited.page.goto(f"file://{files.page}")
        expect(visited.page.locator("main")).to_contain_text("<b>baroque</b>")
        assert visited.wrong == []
