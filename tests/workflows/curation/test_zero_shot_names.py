"""Words for clusters and pictures, by a tiny CLIP of random weights: right, if meaningless."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from artcluster.embedders.clip_text import TextTower
from artcluster.errors import UsageError
from artcluster.metrics.over_representation import word_fit
from artcluster.store import Store
from artcluster.store.vectors import find_vectors
from artcluster.workflows.archives import open_tables
from artcluster.workflows.curation.zero_shot_names import choose_word_embedder, read_word_list
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.embedding.embedder import stored_state
from tests.cli.test_commands import run
from tests.clip import NAME, TinyClip
from tests.curated import Curated
from tests.workflows.jobs import make_job

WORDS = ["ships", "a harbour", "birds", "a <b>bold</b> map", "flowers", "saints"]


@pytest.fixture(scope="module")
def place(curated: Curated, tiny_clip: TinyClip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The curated store, whose clusters are of colour histograms, with CLIP's vectors beside."""
    place = tmp_path_factory.mktemp("words") / "store"
    shutil.copytree(curated.store, place)
    embed_archive(make_job(place, **tiny_clip.settings), str(curated.images))
    (place.parent / "words.txt").write_text("# Words\n" + "\n".join(WORDS) + "\n\nships\n")
    return place


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert run(*arguments) == 0
    return json.loads(capsys.readouterr().out)


def members(store: Store) -> tuple[dict[str, int], dict[str, np.ndarray]]:
    """Return each content's cluster, and its vector at length one."""
    with open_tables(store, make_job(store).config, "latest") as tables:
        rows = tables.sql("SELECT DISTINCT content_id, cluster FROM latest").fetchall()
    embedder_id = choose_word_embedder(store, None).embedder_id
    vectors = find_vectors(store, embedder_id, [content for content, _ in rows])
    return dict(rows), {name: x / np.linalg.norm(x) for name, x in vectors.items()}


def tower(store: Store) -> TextTower:
    embedder = choose_word_embedder(store, None)
    return TextTower(embedder.contract, stored_state(store, embedder))


def test_words_name_clusters_below_people_and_above_metadata(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words_file = place.parent / "words.txt"
    found = printed(capsys, "name", place, "--words", words_file, "--json")
    store = Store.open(place)
    clusters, vectors = members(store)
    numbers = sorted(set(clusters.values()))
    means = [
        np.mean([vectors[name] for name in clusters if clusters[name] == number], axis=0)
        for number in numbers
    ]
    text = tower(store)
    fit = word_fit(np.stack(means), text.words(WORDS), text.scale)
    assert [each["cluster"] for each in found] == numbers
    for row, each in enumerate(found):
        assert each["images"] == sum(cluster == numbers[row] for cluster in clusters.values())
        order = np.argsort(-fit.keyness_CW[row], kind="stable")
        assert each["words"][0]["text"] == WORDS[order[0]]
        cosines = {word["text"]: word["cosine"] for word in each["words"]}
        expected = {word: fit.cosine_CW[row, place] for place, word in enumerate(WORDS)}
        assert cosines == pytest.approx(expected, abs=1e-5)
    named = [each for each in found if each["name"]]
    assert named
    # They are kept, and a person's name stands above.
    chosen = named[0]["cluster"]
    assert run("name", place, chosen, "Ours & theirs") == 0
    capsys.readouterr()
    listed = {each["cluster"]: each for each in printed(capsys, "name", place, "--json")}
    assert listed[chosen]["name"] == "Ours & theirs"
    assert listed[chosen]["suggested"] == named[0]["name"]
    out = printed(capsys, "report", place, "--out", tmp_path / "report", "--json")
    assert out["clusters"] == len(numbers)
    page = (tmp_path / "report" / "clusters" / f"{chosen}.html").read_text()
    assert '<h1><span class="dot"></span>Ours &amp; theirs</h1>' in page
    assert "Words suggest" in page
    assert "<b>bold" not in page
    assert f"{named[0]['words'][0]['cosine']:.3f}" in page
    for each in named[1:]:
        page = (tmp_path / "report" / "clusters" / f"{each['cluster']}.html").read_text()
        assert "Suggested from words that fit its pictures" in page
    # The next words take the place of these; and they can be taken away.
    again = printed(capsys, "name", place, "--words", "--json")
    assert {word["text"] for each in again for word in each["words"]}.isdisjoint(WORDS)
    assert run("name", place, "--words", "--remove") == 0
    capsys.readouterr()
    gone = printed(capsys, "name", place, "--json")
    assert [each["suggested"] for each in gone] == [None] * len(numbers)
    assert gone[numbers.index(chosen)]["name"] == "Ours & theirs"


def test_pictures_are_found_by_words(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--words", "a ship at sea", "--words", "an angel", "--top", "3", "--json")
    found = printed(capsys, "similar", place, *asked)
    assert [each["asked"] for each in found] == ["a ship at sea", "an angel"]
    store = Store.open(place)
    _, vectors = members(store)
    for answer, text in zip(found, tower(store).words(["a ship at sea", "an angel"]), strict=True):
        distances = sorted(1 - float(vector @ text) for vector in vectors.values())
        got = [match["distance"] for match in answer["matches"]]
        assert got == pytest.approx(distances[:3], abs=1e-5)
    assert run("similar", place, "x.jpg", "--words", "a ship") == 2
    assert run("similar", place, "--words", " ") == 2


def test_where_no_words_are_known_it_is_told_what_to_do(
    curated: Curated, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["name", curated.store, "--words"], ["similar", curated.store, "--words", "x"]):
        assert run(*command) == 2
        told = " ".join(capsys.readouterr().err.split())
        assert "color-histogram" in told
        assert "pip install 'artcluster[clip]'" in told
        assert "--backbone clip:ViT-B-32/" in told
    with pytest.raises(UsageError, match="knows no words"):
        choose_word_embedder(Store.open(place), "color-histogram")
    assert choose_word_embedder(Store.open(place), f"clip:{NAME}").contract.dim == 24
    assert run("name", place, 1, "--words") == 2
    assert run("name", place, "--backbone", f"clip:{NAME}") == 2


def test_word_lists(tmp_path: Path) -> None:
    own = read_word_list("subjects")
    assert len(own.words) > 150
    assert "the sea" in own.words
    file = tmp_path / "words.txt"
    for content, said in (
        (b"one\n", "2 to 20,000"),
        (b"\xff\xfe\n", "UTF-8"),
        (b"a\n" + b"x" * 200, "short"),
    ):
        file.write_bytes(content)
        with pytest.raises(UsageError, match=said):
            read_word_list(str(file))
    with pytest.raises(UsageError, match="cannot be read"):
        read_word_list(str(tmp_path / "none.txt"))
