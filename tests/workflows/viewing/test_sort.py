"""Sorted folders: tidied when run again, and nothing lost that somebody else put there."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from artcluster.errors import UsageError
from artcluster.runtime.progress import Silent
from artcluster.store import Store
from artcluster.store.views import read_view
from artcluster.workflows.runs import choose_run
from artcluster.workflows.viewing.sort import SortSettings, SortSummary, sort_images
from artcluster.workflows.viewing.sort_record import FOLDER, SortRecord
from tests.cli.test_commands import run
from tests.curated import EVIL, Curated
from tests.workflows.jobs import make_job


def sort(store: Store, out: Path, **settings: Any) -> SortSummary:
    config = make_job(store).config
    chosen = SortSettings(**settings)
    return sort_images(store, choose_run(store, None), out, chosen, config, Silent())


def files(out: Path) -> list[Path]:
    return sorted(
        file
        for file in out.rglob("*")
        if not file.is_relative_to(out / FOLDER) and (file.is_symlink() or file.is_file())
    )


def test_every_image_is_linked_once_under_a_safe_name(curated: Curated, tmp_path: Path) -> None:
    out = tmp_path / "sorted"
    summary = sort(curated.open(), out, rejects=True)
    links = files(out)
    latest = read_view(curated.open(), "latest", "arrow").to_pylist()
    assert summary.files == summary.made == len(links) == len(latest) + 1
    assert all(link.is_symlink() and link.resolve().is_file() for link in links)
    assert {link.relative_to(out).parts[0] for link in links} == {"00", "01", "02", "03", "rejects"}
    assert (out / "rejects" / "not-an-image" / "page.jpg").is_symlink()
    by_uri = {row["uri"]: row["cluster"] for row in latest}
    for link in links:
        if link.relative_to(out).parts[0] != "rejects":
            assert by_uri[str(link.readlink())] == int(link.parent.name)
    (evil,) = [link for link in links if str(link.readlink()).endswith(EVIL)]
    assert evil.name == "_img src=x onerror=alert(1)_.jpg"
    again = sort(curated.open(), out, rejects=True)
    assert (again.made, again.removed, again.files) == (0, 0, summary.files)


def test_sorting_again_tidies_its_own_and_leaves_others(curated: Curated, tmp_path: Path) -> None:
    out, store = tmp_path / "sorted", curated.open()
    total = sort(store, out).files
    folder = out / "00"
    links = sorted(folder.iterdir())
    (folder / "notes.txt").write_text("mine")
    links[0].unlink()
    links[1].unlink()
    links[1].write_text("somebody's own, under the name of a link")
    first = sort(store, out)
    assert (first.made, first.left_alone) == (1, 0)
    # Copies instead of links: links go, copies come, what is not a link of ours stays.
    copied = sort(store, out, copy=True)
    assert copied.removed == total - 1
    assert copied.left_alone == 1
    assert links[1].read_text().startswith("somebody's")
    assert not any(file.is_symlink() for file in files(out))
    changed = next(file for file in files(out) if file.parent.name == "01")
    changed.write_bytes(b"edited")
    assert sort(store, out).left_alone >= 1
    assert changed.read_bytes() == b"edited"
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_sorting_that_was_killed_is_finished_by_the_next(
    curated: Curated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, store = tmp_path / "sorted", curated.open()
    made = 0
    link = Path.symlink_to

    def dies(self: Path, target: str) -> None:
        nonlocal made
        made += 1
        if made == 5:
            raise KeyboardInterrupt
        link(self, target)

    monkeypatch.setattr(Path, "symlink_to", dies)
    with pytest.raises(KeyboardInterrupt):
        sort(store, out)
    monkeypatch.undo()
    assert len(files(out)) == 4
    (out / FOLDER / "partial-dead").write_bytes(b"half")
    summary = sort(store, out)
    assert summary.made == summary.files - 4
    assert not (out / FOLDER / "partial-dead").exists()


def test_equal_names_are_told_apart_and_stay_so(curated: Curated, tmp_path: Path) -> None:
    images = tmp_path / "images"
    for name in ("a", "b"):
        (images / name).mkdir(parents=True)
    found = sorted((curated.images / "constellations" / "aztec").glob("*.jpg"))[:6]
    for number, file in enumerate(found):
        shutil.copy(file, images / "ab"[number % 2] / f"{'Leda' if number < 2 else number}.jpg")
    from artcluster.workflows.clustering.cluster import cluster_archive
    from artcluster.workflows.embedding.embed import embed_archive

    store = Store.open(tmp_path / "store", create=True)
    embed_archive(make_job(store), str(images))
    cluster_archive(make_job(store, cluster__method="kmeans", cluster__k=2), None)
    sort(store, tmp_path / "sorted")
    ledas = [file for file in files(tmp_path / "sorted") if file.name.startswith("Leda")]
    assert len(ledas) == 2
    if ledas[0].parent == ledas[1].parent:
        assert all("~" in leda.name for leda in ledas)


def test_folders_of_other_things_and_second_sorters_are_refused(
    curated: Curated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match="holds other things"):
        sort(curated.open(), tmp_path)
    out = tmp_path / "sorted"
    assert run("sort", curated.store, out, "--json") == 0
    with SortRecord.open(out):
        assert run("sort", curated.store, out) == 2
    assert "another process" in capsys.readouterr().err
