"""A store with a damaged file of each kind: it is named, taken out, and made again."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from artcluster.cli import main
from artcluster.errors import StoreError
from artcluster.runtime.progress import Silent
from artcluster.store import Store
from artcluster.store.parquet import encode, read_file
from artcluster.store.views import read_view
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.growing.update import update_archive
from artcluster.workflows.housekeeping.check import CheckSummary, check_store
from artcluster.workflows.runs import read_runs
from tests.workflows.jobs import copy_pictures, make_job

SETTINGS = {
    "archive__id": "pictures",
    "embed__part_images": 4,
    "embed__commit_every_images": 4,
    "cluster__method": "kmeans",
    "cluster__k": 3,
}
PICTURES = 12


def run(place: Path) -> str:
    job = make_job(place / "store", **SETTINGS)
    embed_archive(job, str(place / "images"))
    return cluster_archive(job, None).run_id


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("whole")
    copy_pictures(place / "images", PICTURES)
    run(place)
    return place


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def check(place: Path, **how: bool) -> CheckSummary:
    return check_store(Store.open(place / "store"), Silent(), **how)


def shown(place: Path) -> list[tuple[str, int]]:
    rows = read_view(Store.open(place / "store"), "latest", "arrow").to_pylist()
    return sorted((row["path"], row["cluster"]) for row in rows)


def removed(file: Path) -> None:
    file.unlink()


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flipped(file: Path) -> None:
    data = bytearray(file.read_bytes())
    group = pq.read_metadata(file).row_group(0)
    columns = (group.column(number) for number in range(group.num_columns))
    largest = max(columns, key=lambda column: int(column.total_compressed_size))
    start = largest.dictionary_page_offset or largest.data_page_offset
    data[start + largest.total_compressed_size // 2] ^= 1
    file.write_bytes(bytes(data))


TABLES = ["embeddings/**/*", "images/*", "assignments/**/*", "runs/*", "clusters/**/*"]


@pytest.mark.parametrize("damage", [removed, emptied, cut, flipped])
def test_damaged_files_of_tables_are_named_taken_out_and_made_again(
    place: Path, damage: Callable[[Path], None]
) -> None:
    before, (run_id,) = shown(place), [each.run_id for each in read_runs(open_store(place))]
    assert check(place).damages == ()
    files = [sorted((place / "store").glob(f"{pattern}.parquet"))[0] for pattern in TABLES]
    paths = [file.relative_to(place / "store").as_posix() for file in files]
    for file in files:
        damage(file)
    found = check(place)
    assert sorted(each.path for each in found.damages) == sorted(paths)
    assert all(each.problem and each.cost and each.repairable for each in found.damages)
    assert [file.exists() for file in files] == [damage is not removed] * len(files)
    check(place, repair=True)
    after = check(place)
    assert after.damages == ()
    # The table of runs is among those that lost their rows, so nobody asks for its vectors.
    assert after.incomplete == {}
    assert run(place) == run_id
    assert check(place).incomplete == {}
    assert shown(place) == before
    rows = open_store(place).table("embeddings").read(["content_id"])["content_id"]
    assert len(rows) == len(rows.unique()) == PICTURES


def open_store(place: Path) -> Store:
    return Store.open(place / "store")


def test_a_missing_file_of_assignments_is_no_success_and_an_update_makes_it_again(
    place: Path,
) -> None:
    before = shown(place)
    (lost,) = (place / "store").glob("assignments/**/*.parquet")
    lost.unlink()
    for job in (run, update):
        with pytest.raises(StoreError, match=f"{lost.name}.*check .* lists damaged files"):
            job(place)
    check(place, repair=True)
    assert list(check(place).incomplete.values()) == ["12 of 12 assignments"]
    assert update(place).outcome == "nothing new"
    assert shown(place) == before


def update(place: Path) -> Any:
    return update_archive(make_job(place / "store", **SETTINGS), str(place / "images"))


@pytest.mark.parametrize("damage", [emptied, cut])
def test_the_last_commit_of_a_log_is_undone(place: Path, damage: Callable[[Path], None]) -> None:
    before = shown(place)
    for table in ("embeddings", "runs", "assignments"):
        damage(sorted((place / "store" / table / "_delta_log").glob("*.json"))[-1])
    assert len(check(place).damages) == 3
    check(place, repair=True)
    assert check(place).damages == ()
    run(place)
    assert shown(place) == before


def test_an_early_commit_is_named_and_left(place: Path) -> None:
    log = place / "store" / "images" / "_delta_log"
    cut(sorted(log.glob("*.json"))[1])
    (found,) = check(place, repair=True).damages
    assert found.path == "images/_delta_log/00000000000000000001.json"
    assert not found.repairable
    assert "backup" in found.cost


def test_a_model_without_files_is_fitted_again(place: Path) -> None:
    before = shown(place)
    (folder,) = (each for each in (place / "store" / "models").glob("kmeans-*"))
    shutil.rmtree(folder)
    (found,) = check(place, repair=True).damages
    assert found.path == f"models/{folder.name}"
    assert [*check(place).incomplete.values()] == [f"its model {folder.name}"]
    run(place)
    assert check(place).damages == ()
    assert shown(place) == before


def test_small_files_are_named_and_written_again(place: Path) -> None:
    store = place / "store"
    files = [
        *store.glob("plans/*/*/*/*/plan.json"),
        *store.glob("scans/*/*/scan.json"),
        *store.glob("archives/*/settings.json"),
        *store.glob("embedders/by-settings/*.json"),
        *store.glob("leases/runs=*/*.json"),
    ]
    assert len(files) >= 4
    for file in files:
        cut(file)
    found = {each.path for each in check(place).damages}
    assert found == {file.relative_to(store).as_posix() for file in files}
    check(place, repair=True)
    run(place)
    assert update(place).outcome == "nothing new"
    assert check(place).damages == ()


def test_every_flipped_bit_of_vectors_is_found() -> None:
    """Without checksums four of five such bits gave other vectors in silence."""
    values = pa.array([[float(row), float(row) / 3, 1.0] for row in range(500)])
    table = pa.table({"embedding": values.cast(pa.list_(pa.float32()))})
    whole = encode(table)
    chosen = random.Random(0)
    silent = 0
    for _ in range(300):
        data = bytearray(whole)
        data[chosen.randrange(4, len(data) - 8)] ^= 1 << chosen.randrange(8)
        try:
            silent += not read_file(pa.py_buffer(bytes(data)), None).equals(table)
        except StoreError:
            continue
    assert silent == 0
    assert pq.read_table(pa.BufferReader(whole)).equals(table), "others read it as ever"


@pytest.mark.parametrize("command", ["status", "run", "similar"])
def test_commands_name_the_damaged_file(
    place: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = place / "store"
    file = sorted(store.glob("embeddings/**/*.parquet"))[0]
    file.unlink()
    (store / "images" / "_delta_log" / "00000000000000000001.json").write_text("{")
    arguments = {
        "status": [store],
        "run": [place / "images", store, "--executor", "in-process"],
        "similar": [store, next((place / "images").iterdir())],
    }
    with pytest.raises(SystemExit) as ended:
        main([command, *map(str, arguments[command])])
    assert ended.value.code == 1
    assert f"artcluster check {store}" in capsys.readouterr().err


def test_the_command_ends_with_1_where_damage_is_left(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def code(*arguments: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main(["check", str(place / "store"), *arguments])
        return int(str(ended.value.code))

    assert code() == 0
    assert "Everything is whole" in capsys.readouterr().out
    sorted((place / "store").glob("embeddings/**/*.parquet"))[0].unlink()
    assert code("--quick") == 1
    assert "is missing" in capsys.readouterr().out
    assert code("--repair", "--json") == 0
    capsys.readouterr()
    assert code() == 0
    assert "vectors of 4 images" in capsys.readouterr().out
