"""Names, merges, moves and undoing by people, through updates that refit."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from artcluster.cli import main
from artcluster.errors import UsageError
from artcluster.lineage.matching import Change
from artcluster.store import Store
from artcluster.store.views import read_view
from artcluster.workflows.curation.curate import Curation
from artcluster.workflows.curation.edits import Edit, Edits, inherit_edits, read_edits, rows_of
from artcluster.workflows.growing.update import update_archive
from tests.workflows.growing.growing import GrowingArchive
from tests.workflows.jobs import make_job

SETTINGS = {"archive__id": "pictures", "cluster__method": "kmeans", "embed__part_images": 64}


@pytest.fixture(scope="module")
def clustered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("curated")
    GrowingArchive(place / "images").add(30)
    update(place, k=4)
    return place


@pytest.fixture
def place(clustered: Path, tmp_path: Path) -> Path:
    for name in ("images", "store"):
        shutil.copytree(clustered / name, tmp_path / name)
    return tmp_path


def update(place: Path, k: int) -> Any:
    job = make_job(place / "store", cluster__k=k, **SETTINGS)
    return update_archive(job, str(place / "images"))


def curation(place: Path, **more: Any) -> Curation:
    store = Store.open(place / "store")
    return Curation(store, make_job(store).config, who="Ada", **more)


def shown(place: Path) -> dict[str, int]:
    rows = read_view(Store.open(place / "store"), "latest", "arrow").to_pylist()
    return {row["path"]: row["cluster"] for row in rows}


def by_model(place: Path) -> dict[str, int]:
    rows = read_view(Store.open(place / "store"), "latest", "arrow").to_pylist()
    return {row["path"]: row["model_cluster"] for row in rows}


def merge(cluster: int, into: int, name: str) -> Edit:
    return Edit(name, "s", "r", "merge", cluster=cluster, shown_cluster=into)


def undo(edit: Edit) -> Edit:
    return Edit(f"not {edit.edit_id}", "s", "r", "undo", of_edit=edit.edit_id, cluster=edit.cluster)


def test_merges_fold_in_the_order_they_were_made() -> None:
    first, second, third = merge(3, 7, "a"), merge(7, 2, "b"), merge(5, 2, "c")
    assert Edits((first, second, third)).shown_clusters == {3: 2, 7: 2, 5: 2}
    assert Edits((first, second, third, undo(second))).shown_clusters == {3: 7, 5: 2}
    assert Edits((first, second, third, undo(first))).shown_clusters == {7: 2, 5: 2}


def test_rows_alone_tell_readers_all_that_follows() -> None:
    """The latest row of each cluster, as the views take it, is what folding the edits gives."""
    edits, latest = Edits(()), dict[int | None, int | None]()
    first, second, third = merge(3, 7, "a"), merge(7, 2, "b"), merge(2, 9, "c")
    for edit in (first, second, third, undo(second), undo(first), undo(third)):
        rows = rows_of(edits, edit)
        latest |= {row.cluster: row.shown_cluster for row in rows}
        edits = edits.and_then(rows[0])
        assert {c: s for c, s in latest.items() if s is not None} == edits.shown_clusters
        earlier = [each.edited_at for each in edits.made[:-1]]
        assert all(rows[0].edited_at > at for at in earlier)
    assert edits.shown_clusters == {}


def test_a_refit_that_splits_and_merges_is_followed(local: Store) -> None:
    """3 is shown as 7, then 3 splits off 11; 7 holds a moved image and is merged into 5."""
    made = [merge(3, 7, "a"), Edit("m", "s", "r", "move", content_id="x", shown_cluster=6)]
    for edit in made:
        write(local, edit)
    lineage = [
        Change(3, 3, 9, 12, 9, "kept"),
        Change(3, 11, 3, 12, 3, "split"),
        Change(6, 5, 8, 8, 20, "merged"),
        Change(4, 5, 2, 2, 20, "merged"),
        Change(None, 12, 0, 0, 4, "born"),
    ]
    inherit_edits(local, "s", "later", lineage, None)
    assert read_edits(local, "s").shown_clusters == {3: 7}  # the run is not there yet
    rows = local.table("edits").read().to_pylist()
    inherited = {(r["cluster"], r["shown_cluster"]) for r in rows if r["kind"] == "inherit"}
    assert inherited == {(11, 7), (6, 5)}
    assert {row["of_edit"] for row in rows if row["kind"] == "inherit"} == {"a", "m"}


@pytest.fixture
def local(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store", create=True)


def write(store: Store, edit: Edit) -> None:
    from artcluster.workflows.curation.edits import append_rows

    append_rows(store, rows_of(read_edits(store, edit.series), edit), None)


def test_names_and_edits_survive_refits(place: Path) -> None:
    before = by_model(place)
    sizes = {number: list(before.values()).count(number) for number in set(before.values())}
    small, big = sorted(sizes, key=lambda number: sizes[number])[::3]
    path = next(name for name, number in before.items() if number == big)
    people = curation(place)
    people.name(small, "Suns")
    people.merge(big, small)
    moved = people.move(path, next(n for n in sizes if n not in (small, big)))
    after = shown(place)
    assert {after[name] for name, number in before.items() if number == big} == {
        small,
        moved.shown_cluster,
    }
    done = update(place, k=7)
    assert done.outcome == "refitted"
    split = [
        c.new_cluster for c in done.changes.clusters if (c.old_cluster, c.kind) == (big, "split")
    ]
    now, raw = shown(place), by_model(place)
    assert now[path] == moved.shown_cluster
    assert split, "the largest of four clusters is split by seven"
    for name, number in raw.items():
        if number in (*split, big) and name != path:
            assert now[name] == small
    names = {each.cluster: each.name for each in curation(place).clusters()}
    assert names[small] == "Suns"
    assert not set(names) & {*split, big}
    # Undoing the merge takes back what followed from it.
    people = curation(place)
    people.undo(next(edit.edit_id for edit in people.edits().active if edit.kind == "merge"))
    people.undo()
    assert shown(place) == by_model(place)
    with pytest.raises(UsageError, match="no edit to undo"):
        people.undo()


def test_wrong_numbers_and_paths_are_told(place: Path) -> None:
    people = curation(place)
    with pytest.raises(UsageError, match="no cluster 9; it has 0, 1, 2, 3"):
        people.merge(9, 1)
    with pytest.raises(UsageError, match="into itself"):
        people.merge(1, 1)
    with pytest.raises(UsageError, match=r"no image 'nowhere\.png'"):
        people.move("nowhere.png", 1)
    with pytest.raises(UsageError, match="the name is empty"):
        people.name(1, " ")
    people.merge(0, 1)
    with pytest.raises(UsageError, match="cluster 0 is shown as 1"):
        people.name(0, "Moons")
    with pytest.raises(UsageError, match="no edit 'zzz' that holds"):
        people.undo("zzz")
    with pytest.raises(UsageError, match="no run 'zzz'"):
        curation(place, run_id="zzz")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments), "--json"])
    assert ended.value.code == 0
    return json.loads(capsys.readouterr().out)


def test_the_commands(clustered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place, store = clustered, clustered / "store"
    clusters = run(capsys, "name", store, 2, "Moons", "--who", "Ada")
    assert [each["name"] for each in clusters] == [None, None, "Moons", None]
    (only,) = run(capsys, "runs", store)
    assert only["series"] == only["run_id"]
    same = run(capsys, "diff", store, only["run_id"][:6], "last")
    assert (same["ari"], same["kept_share"], same["images"]["untouched"]) == (1, 1, 30)
    assert same["names"] == {"2": "Moons"}
    more = ("--set", "cluster.k=5", "--executor", "in-process")
    updated = run(capsys, "update", place / "images", store, *more)
    assert updated["outcome"] == "refitted"
    assert updated["reasons"] == ["cluster.k was 4, is 5"]
    # The archive's name and the method are known, though the command does not say them.
    assert updated["run"]["archive_id"] == "pictures"
    assert updated["run"]["method"] == "kmeans"
    assert len(run(capsys, "runs", store)) == 2
