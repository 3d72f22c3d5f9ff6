"""Similar pictures: asked for by name, by contents, by files; gone pictures are not found."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from artcluster.errors import UsageError
from artcluster.store import Store
from artcluster.workflows.archives import choose_embedder
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.searching.neighbours import Neighbours
from artcluster.workflows.searching.similar import Similar, SimilarPictures, write_similar_page
from tests.browser import open_browser, visit
from tests.cli.test_commands import run
from tests.curated import ASKED, EVIL, EVIL_TITLE, Curated
from tests.workflows.jobs import make_job


def opened(store: Store, tmp_path: Path, archive_id: str | None = None) -> SimilarPictures:
    config = make_job(store).config
    neighbours = Neighbours(store, choose_embedder(store, None), config.search, tmp_path)
    neighbours.refresh()
    return SimilarPictures(store, neighbours, config, 1, archive_id)


def ask(curated: Curated, tmp_path: Path, *asked: object, top: int = 5) -> list[Similar]:
    return list(opened(curated.open(), tmp_path).ask([str(each) for each in asked], top))


def test_a_picture_is_found_by_its_path_its_contents_and_its_file(
    curated: Curated, tmp_path: Path
) -> None:
    (by_path,) = ask(curated, tmp_path, ASKED)
    content_id = by_path.content_id
    assert content_id is not None
    by_others = ask(curated, tmp_path, content_id, content_id[:10], curated.images / ASKED)
    shutil.copy(curated.images / ASKED, tmp_path / "outside.jpg")
    by_others += ask(curated, tmp_path, tmp_path / "outside.jpg")
    for other in by_others:
        assert other.matches == by_path.matches
        assert other.content_id == content_id
    distances = [match.distance for match in by_path.matches]
    assert distances == sorted(distances)
    assert len(distances) == 5
    # Itself, and its copy of the same bytes, are no neighbours.
    assert content_id not in [match.content_id for match in by_path.matches]
    assert {match.cluster for match in by_path.matches} <= {0, 1, 2, 3}


def test_pictures_of_a_folder_are_embedded_and_broken_ones_told(
    curated: Curated, tmp_path: Path
) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    Image.open(curated.images / ASKED).convert("RGB").rotate(1).save(folder / "a.png")
    (folder / "b.jpg").write_text("<html>")
    found = ask(curated, tmp_path, folder, top=3)
    assert [answer.asked for answer in found] == ["a.png", "b.jpg"]
    assert found[0].matches[0].path in (ASKED, "copy.jpg")
    assert found[0].matches[0].copies == 2
    assert found[1].matches == ()
    assert "not-an-image" in found[1].reason


@pytest.mark.parametrize("asked", ["nowhere.jpg", "page.jpg", "0123456789abcdef", "/nowhere/x"])
def test_what_is_not_there_is_told(curated: Curated, tmp_path: Path, asked: str) -> None:
    with pytest.raises(UsageError, match="there is no picture"):
        ask(curated, tmp_path, asked)


def test_pictures_that_are_gone_are_not_found_and_new_ones_are(
    curated: Curated, tmp_path: Path
) -> None:
    images, place = tmp_path / "images", tmp_path / "store"
    shutil.copytree(curated.images, images)
    store = Store.open(place, create=True)
    embed_archive(make_job(store, archive__id="a"), str(images))
    near = opened(store, tmp_path)
    before = next(near.ask([ASKED], 30)).matches
    (images / before[0].path).unlink()
    Image.open(images / ASKED).rotate(2).save(images / "new.jpg")
    embed_archive(make_job(store, archive__id="a"), str(images))
    near.refresh()
    after = next(near.ask([ASKED], 30)).matches
    assert after[0].path == "new.jpg"
    assert [each.path for each in after[1:]] == [each.path for each in before[1:]]
    assert [each.cluster for each in after] == [None] * len(after)
    assert next(opened(store, tmp_path, "another").ask([ASKED], 3)).matches == ()


def test_the_page_is_whole_in_itself_and_names_are_inert(curated: Curated, tmp_path: Path) -> None:
    answers = ask(curated, tmp_path, EVIL, top=4)
    with (tmp_path / "page.html").open("wb") as file:
        assert write_similar_page(answers, make_job(curated.open()).config, 64, file) == 1
    text = (tmp_path / "page.html").read_text()
    assert "Content-Security-Policy" in text
    assert "<img src=x" not in text
    assert EVIL_TITLE not in text
    with open_browser() as browser, visit(browser) as visited:
        visited.page.goto((tmp_path / "page.html").as_uri())
        assert visited.page.locator("figure").count() == 5
        assert visited.page.locator("h2").inner_text() == EVIL
        shown = "images => images.every(i => i.naturalWidth > 0)"
        assert visited.page.locator("img").evaluate_all(shown)
        assert visited.wrong == []


def test_the_command_prints_tables_and_json(
    curated: Curated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("similar", curated.store, ASKED, "--top", "3") == 0
    out = capsys.readouterr().out
    assert "distance" in out
    assert "constellations/" in out
    index = ("--set", "search.exact_below=5")
    copy = tmp_path / "store"
    shutil.copytree(curated.store, copy)
    assert run("similar", copy, "--refresh", *index, "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["contents"] > 20
    assert "recall@10" in err
    assert run("similar", copy, ASKED, EVIL, "--json", "--top", "2", *index) == 0
    out, _ = capsys.readouterr()
    assert [len(each["matches"]) for each in json.loads(out)] == [2, 2]
    assert run("similar", curated.store, ASKED, "--top", "0") == 2
    assert run("similar", curated.store) == 2
