"""A table of metadata on its way into the store: what is told, kept, and refused."""

import csv
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artcluster.errors import ArchiveError
from artcluster.store import Store
from artcluster.store.views import read_view
from artcluster.workflows.archives import resolve_archive
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.embedding.metadata import import_metadata
from tests.workflows.jobs import copy_pictures, make_job

NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(-1000, 1000, places=2).map(str),
    st.sampled_from(["007", "1E5", "+1", "1.50", "1890.0", "1890", "ca. 1890", "-0", "inf"]),
)
DATES = st.dates().map(str)
BOOLEANS = st.sampled_from(["true", "False", "TRUE"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
COLUMNS = [NUMBERS, st.integers(-9, 9).map(str), DATES, BOOLEANS, TEXTS]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory) -> Path:
    """A folder with four pictures in `pictures` and a `store` that has their vectors."""
    folder = tmp_path_factory.mktemp("embedded")
    copy_pictures(folder / "pictures", 4)
    embed_archive(make_job(folder / "store", archive__id="met"), str(folder / "pictures"))
    return folder


@pytest.fixture
def place(embedded, tmp_path) -> Path:
    """A copy of the same."""
    shutil.copytree(embedded, tmp_path, dirs_exist_ok=True)
    return tmp_path


def told(place: Path, table: str, source: str = "m.csv", **config) -> list[str]:
    """Import a table of metadata, `{0}` … being the pictures' names; return what is said."""
    names = sorted(file.name for file in (place / "pictures").iterdir())
    (place / source).write_text(table.format(*names))
    source_of = {"metadata__source": str(place / source), "archive__id": "met"}
    job = make_job(place / "store", **source_of, **config)
    lines: list[str] = []
    job.progress.say = lines.append  # type: ignore[method-assign]
    archive = resolve_archive(str(place / "pictures"), job.config)
    import_metadata(job, archive, 1)
    return lines


def latest(place: Path) -> list[dict]:
    """The rows of `current_metadata` by path."""
    view = read_view(Store.open(place / "store"), "current_metadata", "arrow")
    return view.sort_by("path").to_pylist()


def test_how_rows_were_joined_is_told_with_examples(place):
    table = "path,a b,cluster\n{0},1,x\n{0},1,x\nold/{1},2,x\n{2},3,x\n{2},4,x\nno.png,5,x\n"
    lines = told(place, table)
    names = sorted(file.name for file in (place / "pictures").iterdir())
    assert lines == [
        "Metadata: 2 of 6 rows joined to 2 of 4 images, by path 1; path below a folder 1, such as "
        f"'old/{names[1]}: {names[1]}'.",
        "Rows that are the same as an earlier one, and count once: 1.",
        "Rows not joined because other rows name the same image: 2 (row: image, such as "
        f"'{names[2]}: {names[2]}', '{names[2]}: {names[2]}'). Give each image one row, or choose "
        "with --set metadata.many=first or list.",
        "Rows that fit no image: 1, such as 'no.png'.",
        f"Images without a row: 2, such as {names[2]!r}, {names[3]!r}.",
        "Columns have other names in the view latest: 'path' is 'user_path', 'a b' is 'a_b', "
        "'cluster' is 'metadata_cluster'.",
    ]


def test_a_table_that_lost_its_rows_stops_the_job(place):
    whole = "path,genre\n" + "".join(f"{{{n}}},portrait\n" for n in range(4))
    told(place, whole)
    before = latest(place)
    assert len(before) == 4
    half = "path,genre\n{0},portrait\n{1},portrait\n"
    for table in ("path,genre\n", "path,genre\nother/1.png,x\n", half):
        with pytest.raises(
            ArchiveError, match=r"no row any more for [24] of the 4 images.*--allow"
        ):
            told(place, table)
        assert latest(place) == before
    told(place, half, metadata__max_lost_share=0.5)
    assert [row["genre"] for row in latest(place)] == ["portrait"] * 2
    told(place, "path,genre\n", metadata__max_lost_share=1)
    assert latest(place) == []


def test_a_label_that_lost_its_values_stops_the_job(place):
    told(place, "path,genre,n\n" + "".join(f"{{{n}}},portrait,1\n" for n in range(4)))
    for table in ("path,genre,n\n{0},,1\n{1},,1\n{2},,1\n{3},x,1\n", "path\n{0}\n{1}\n{2}\n{3}\n"):
        with pytest.raises(ArchiveError, match=r"no value of 'genre' any more for [34] of the 4"):
            told(place, table, cluster__labels=["genre"])
        told(place, "path,genre\n" + "".join(f"{{{n}}},portrait\n" for n in range(4)))


def test_a_type_that_was_guessed_widens_the_next_night(place):
    for years in (["1900", "1901"], ["ca. 1900", "01901"], ["1900.50", "1902"]):
        table = "path,year\n{{0}},{}\n{{1}},{}\n".format(*years)
        told(place, table, metadata__max_lost_share=1)
        assert [str(row["year"]) for row in latest(place)] == years


def says(value: object, text: str) -> bool:
    """Whether a value of the store is what a text of the file says."""
    if isinstance(value, bool):
        return str(value).lower() == text.lower()
    if isinstance(value, float):
        return text in (repr(value), repr(value).removesuffix(".0"))
    return (text or None) == (value if value is None else str(value))


@settings(max_examples=10)
@given(kinds=st.permutations(COLUMNS), data=st.data())
def test_what_comes_back_is_what_the_file_says(embedded, kinds, data):
    """Night by night, columns that come in other types each time, all into one store."""
    names = sorted(file.name for file in (embedded / "pictures").iterdir())
    rows = [[name, *(data.draw(each) for each in kinds)] for name in names]
    with (embedded / "night.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["path", *map("column{}".format, range(len(kinds)))], *rows])
    source = {"metadata__source": str(embedded / "night.csv"), "archive__id": "met"}
    job = make_job(embedded / "store", metadata__max_lost_share=1, **source)
    import_metadata(job, resolve_archive(str(embedded / "pictures"), job.config), 1)
    for found, (_, *texts) in zip(latest(embedded), rows, strict=True):
        for number, text in enumerate(texts):
            assert says(found[f"column{number}"], text), (found[f"column{number}"], text)
