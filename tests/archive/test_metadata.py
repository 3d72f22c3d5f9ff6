import json
import os
import subprocess
import sys
import unicodedata
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from artcluster.archive import Listing, join_metadata, write_scan
from artcluster.errors import ArchiveError, UsageError
from artcluster.location import Location
from artcluster.schema import METADATA_KEYS
from tests.archive.test_folders import DEMO, at

ARCHIVE = Location.parse("/museum/scans")


def joined(tmp_path, table, paths, **options):
    """Join a table, given as text or bytes of a CSV, to paths; return rows by path and report."""
    if isinstance(table, str | bytes):
        file = tmp_path / "m.csv"
        file.write_bytes(table.encode() if isinstance(table, str) else table)
    else:
        file = table
    images = pa.table({"path": pa.array(paths, pa.string())})
    with join_metadata(at(file), ARCHIVE, "met", images, **options) as join:
        result = join.table()
        assert result.schema.names[:4] == list(METADATA_KEYS)
        assert set(result["metadata_version"].to_pylist()) <= {join.version}
        return {row["path"]: row for row in result.to_pylist()}, join.report


def test_the_demo_metadata_fits_its_archive_from_either_root(tmp_path):
    for root in (DEMO, DEMO / "images"):
        scan = write_scan(Listing(at(root)), at(tmp_path), "demo")
        files = [tmp_path / name for name in scan.files]
        with join_metadata(at(DEMO / "metadata.csv"), at(root), "demo", files) as join:
            assert join.report.rows == sum(join.report.matched.values()) == 559
            assert join.report.images - join.report.images_with == 3
            assert join.report.columns["path"] == "user_path"
            rows = {row["path"]: row for row in join.table().to_pylist()}
        prefix = "images/" if root == DEMO else ""
        row = rows[f"{prefix}constellations/aztec/aztec0.jpg"]
        assert (row["style"], row["source"]) == ("aztec", "stellarium")
        assert row["metadata_source"] == str(DEMO / "metadata.csv")


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("a/One 1.jpg", "path"),
        ("./a\\One 1.jpg", "path"),
        ("/museum/scans/a/One 1.jpg", "path"),
        ("One 1.jpg", "end of the path"),
        ("old/place/a/One 1.jpg", "path below a folder"),
        ("One 1", "end of the path, without extension"),
        ("tiffs/a/One 1.tif", "path below a folder, but for the extension"),
        ("a/One%201.jpg", "path, percent-decoded"),
        ("https://museum.example/a/One%201.jpg?w=9", "path below a folder, percent-decoded"),
        ("A/ONE 1.JPG", "path, ignoring case"),
        ("ONE%201", "end of the path, without extension, ignoring case"),
    ],
)
def test_a_row_names_its_image_in_many_ways(tmp_path, value, rule):
    paths = ["a/One 1.jpg", "a/two.jpg", "b/two.jpg"]
    rows, report = joined(tmp_path, f"file,n\n{value},7\n", paths)
    assert report.matched == {rule: 1}
    assert report.examples[rule] == (f"{value}: a/One 1.jpg",)
    assert rows["a/One 1.jpg"]["n"] == 7


@pytest.mark.parametrize("value", ["1892/001.jpg", "x/1892/001.tif", "1892/001", "old/001.JPG"])
def test_a_row_that_states_another_folder_names_no_image(tmp_path, value):
    paths = ["1890/001.jpg", "1893/002.jpg"]
    rows, report = joined(tmp_path, f"path,n\n{value},1\n1893/002.jpg,2\n", paths)
    assert set(rows) == {"1893/002.jpg"}
    assert (report.matched, report.unmatched) == ({"path": 1}, 1)
    rows, report = joined(tmp_path, f"path,n\n{value},1\n", paths, ignore_folders=True)
    assert rows["1890/001.jpg"]["n"] == 1


def test_file_names_in_other_folders_are_told(tmp_path):
    rows, report = joined(tmp_path, "path,n\n1892/001.jpg,1\nx,2\n", ["1890/001.jpg"])
    assert (rows, report.strays, report.unmatched) == ({}, 1, 2)
    assert report.examples["strays"] == ("1892/001.jpg: 1890/001.jpg",)


def test_where_there_is_doubt_nothing_is_joined_but_counted(tmp_path):
    table = "file,n\ntwo.jpg,1\na/one.jpg,2\na/one.jpg,3\nb/two.jpg,4\nnone.jpg,5\n,6\n"
    rows, report = joined(tmp_path, table, ["a/one.jpg", "a/two.jpg", "b/two.jpg"])
    assert set(rows) == {"b/two.jpg", "a/two.jpg"}
    rows, report = joined(tmp_path, "file,n\ntwo.jpg,1\n", ["a/two.jpg", "b/two.jpg"])
    assert (rows, report.ambiguous, report.images_with) == ({}, 1, 0)
    assert report.examples["ambiguous"] == ("two.jpg",)
    rows, report = joined(tmp_path, table, ["a/one.jpg", "x/one.jpg"])
    assert (report.rows, report.rivals, report.unmatched) == (6, 2, 4)
    assert report.examples["rivals"] == ("a/one.jpg: a/one.jpg", "a/one.jpg: a/one.jpg")
    assert report.examples["unmatched"] == ("two.jpg", "b/two.jpg", "none.jpg", "")
    assert report.examples["without"] == ("a/one.jpg", "x/one.jpg")


def test_an_image_in_doubt_is_not_given_to_a_weaker_row(tmp_path):
    table = "file,n\na/one.jpg,1\na/one.jpg,2\none,3\n"
    rows, report = joined(tmp_path, table, ["a/one.jpg"])
    assert (rows, report.rivals, report.unmatched) == ({}, 2, 1)


def test_very_many_rows_and_images_of_one_name_are_soon_found_to_be_ambiguous(tmp_path):
    table = "file,n\n" + "".join(f"1.jpg,{n}\n" for n in range(20_000))
    rows, report = joined(tmp_path, table, [f"{n}/1.jpg" for n in range(20_000)])
    assert (rows, report.ambiguous) == ({}, 20_000)


def test_identical_rows_are_one(tmp_path):
    table = "path,n\na.jpg,1\na.jpg,1\nb.jpg,1\nb.jpg,2\n"
    rows, report = joined(tmp_path, table, ["a.jpg", "b.jpg"])
    assert set(rows) == {"a.jpg"}
    assert (report.repeated, report.rivals, report.ambiguous) == (1, 2, 0)


def test_of_several_rows_the_first_or_all_are_taken_where_that_is_wanted(tmp_path):
    table = "path,artist,subject\na.jpg,Monet,Tree\nb.jpg,Klee,\na.jpg,Monet,Lake\na.jpg,Monet,\n"
    rows, report = joined(tmp_path, table, ["a.jpg", "b.jpg"], many="first")
    assert (rows["a.jpg"]["subject"], report.rivals) == ("Tree", 2)
    rows, report = joined(tmp_path, table, ["a.jpg", "b.jpg"], many="list")
    assert (rows["a.jpg"]["artist"], rows["a.jpg"]["subject"]) == ("Monet", ["Tree", "Lake", None])
    assert (rows["b.jpg"]["artist"], rows["b.jpg"]["subject"]) == ("Klee", [None])
    assert (report.matched, report.images_with) == ({"path": 4}, 2)
    rows, report = joined(tmp_path, "path,artist\n", ["a.jpg"], many="list")
    assert (rows, report.rows) == ({}, 0)


def test_accents_composed_and_decomposed_are_the_same_name(tmp_path):
    path = unicodedata.normalize("NFD", "Dürer/é.jpg")
    rows, report = joined(tmp_path, "file,n\nDürer/é.jpg,1\n", [path])
    assert report.matched == {"path": 1}
    assert set(rows) == {path}


def test_types_are_found_and_names_kept_from_becoming_numbers(tmp_path):
    table = (
        "id,inventory,accession,price,year,day,public,Title (English),path,note\n"
        '1,007,1984.1,0.5,1888,2020-01-31,true,"A, b",x,\n'
        '2,12,1984.10,12.25,-500,2021-02-01,False,"two\nlines",y,\n'
    )
    rows, report = joined(tmp_path, table, ["1.jpg", "2.jpg"], column="id")
    keys = {key: rows["2.jpg"].pop(key) for key in METADATA_KEYS}
    assert (keys["archive_id"], keys["path"]) == ("met", "2.jpg")
    assert rows["2.jpg"] == {
        "id": 2,
        "inventory": "12",
        "accession": "1984.10",
        "price": 12.25,
        "year": -500,
        "day": date(2021, 2, 1),
        "public": False,
        "Title__English_": "two\nlines",
        "user_path": "y",
        "note": None,
    }
    assert report.columns["Title (English)"] == "Title__English_"


TIMES = """
import sys
import pyarrow as pa
from artcluster.archive import join_metadata
from artcluster.location import Location
table = Location.parse(sys.argv[1])
with join_metadata(table, table, "met", pa.table({"path": ["a.jpg"]})) as join:
    print(join.schema.field("at").type, join.table()["at"][0])
"""


def test_times_without_a_zone_are_utc_wherever_the_job_runs(tmp_path):
    (tmp_path / "m.csv").write_text("path,at\na.jpg,2020-01-01 12:00\n")
    done = subprocess.run(
        [sys.executable, "-c", TIMES, str(tmp_path / "m.csv")],
        capture_output=True,
        text=True,
        env=os.environ | {"TZ": "America/New_York"},
        check=True,
    )
    assert done.stdout.strip() == "timestamp[us, tz=UTC] 2020-01-01 12:00:00+00:00"


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize(
    "values",
    [
        ["12345678901234567890", "12345678901234567891"],
        ["1E5", "2E7"],
        ["+1", "2"],
        ["0.50", "12.25"],
        ["1890", "1890.0"],
        ["0.1234567890123456789"],
        ["03-04-1890", "05-16-1890"],
        ["9:30"],
        ["8C139779-6750-4ACA-8280-6D447C97C200"],
        ["ca. 1890", "1890"],
        ["nan", "inf"],
    ],
)
def test_what_a_type_would_change_stays_text(tmp_path, ending, values):
    file = tmp_path / f"m.{ending}"
    paths = [f"{number}.jpg" for number in range(len(values))]
    if ending == "csv":
        file.write_text("path,x\n" + "".join(map("{},{}\n".format, paths, values)))
    else:
        rows = ({"path": path, "x": value} for path, value in zip(paths, values, strict=True))
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found, _ = joined(tmp_path, file, paths)
    assert [found[path]["x"] for path in paths] == values


def test_a_table_is_the_same_as_csv_and_as_json_lines(tmp_path):
    values = ["7", "-0.5", "1890.0", "true", "Dürer", "007", "2020-01-31", "1" * 19]
    row = {"path": "a.jpg"} | {f"c{number}": value for number, value in enumerate(values)}
    csv, _ = joined(tmp_path, f"{','.join(row)}\n{','.join(row.values())}\n", ["a.jpg"])
    (tmp_path / "m.jsonl").write_text(json.dumps(row) + "\n")
    lines, _ = joined(tmp_path, tmp_path / "m.jsonl", ["a.jpg"])
    types = [int, float, float, bool, str, str, date, str]
    for number, kind in enumerate(types):
        assert type(csv["a.jpg"][f"c{number}"]) is type(lines["a.jpg"][f"c{number}"]) is kind
        assert csv["a.jpg"][f"c{number}"] == lines["a.jpg"][f"c{number}"]


def test_json_lines_keep_what_is_written(tmp_path):
    lines = """\
{"path": "a.jpg", "n": 1, "mixed": "ca. 1890", "long": 12345678901234567890, "price": 1.50,
 "detail": {"room": "Ä", "floors": [1, 2.50], "note": null}, "open": true, "none": NaN, "e": ""}
{"path": "b.jpg", "n": 2.5, "mixed": 1890, "long": 12345678901234567891, "price": 2.25,
 "detail": null, "open": false, "none": null, "e": "x"}
""".replace(",\n", ",")
    (tmp_path / "m.jsonl").write_text(lines, "utf-8-sig")
    rows, _ = joined(tmp_path, tmp_path / "m.jsonl", ["a.jpg", "b.jpg"])
    kept = {key: value for key, value in rows["a.jpg"].items() if key not in METADATA_KEYS}
    assert kept == {
        "user_path": "a.jpg",
        "n": 1.0,
        "mixed": "ca. 1890",
        "long": "12345678901234567890",
        "price": "1.50",
        "detail": '{"room": "Ä", "floors": [1, 2.50], "note": null}',
        "open": True,
        "none": None,
        "e": None,
    }
    assert (rows["b.jpg"]["mixed"], rows["b.jpg"]["detail"]) == ("1890", None)


def test_parquet_keeps_its_types_and_nested_values_become_json(tmp_path):
    paths = ["a.jpg", "b.jpg"]
    table = pa.table(
        {
            "path": paths,
            "tags": [["x"], []],
            "count": pa.array([1, 2], pa.uint32()),
            "counts": pa.array([[1], None], pa.list_(pa.uint16())),
            "large": pa.array([2**64 - 1, 0], pa.uint64()),
            "made": pa.array([0, 1], pa.time32("s")),
            "room": [{"name": "A", "floors": [1, 2]}, None],
            "rooms": [[{"name": "A"}], None],
            "words": pa.array([[("en", "tree")], None], pa.map_(pa.string(), pa.string())),
            "text": ["1E5", "007"],
        }
    )
    pq.write_table(table, tmp_path / "m.parquet")
    rows, _ = joined(tmp_path, tmp_path / "m.parquet", paths)
    row = rows["a.jpg"]
    assert (row["tags"], row["counts"], row["large"]) == (["x"], [1], 2**64 - 1)
    assert (rows["b.jpg"]["count"], rows["b.jpg"]["made"]) == (2, "00:00:01")
    assert json.loads(row["room"]) == {"name": "A", "floors": [1, 2]}
    assert json.loads(row["rooms"]) == [{"name": "A"}]
    assert json.loads(row["words"]) == {"en": "tree"}
    assert rows["b.jpg"]["room"] is rows["b.jpg"]["words"] is None
    assert row["text"] == "1E5"


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ("path;title\na.jpg;Dürer, A.\n".encode(), {}),
        ("path\ttitle\r\na.jpg\tDürer, A.\r\n".encode("utf-8-sig"), {}),
        ('path,title\na.jpg,"Dürer, A."\n\n'.encode("utf-16"), {}),
        ('path,title\na.jpg,"Dürer, A."\n\n'.encode("utf-16-le"), {}),
        ('path,title\na.jpg,"Dürer, A."\n\n'.encode("utf-16-be"), {}),
        ("sep=;\r\npath;title\r\na.jpg;Dürer, A.\r\n".encode(), {}),
        ('"sep=|"\r\npath|title\r\na.jpg|Dürer, A.\r\n'.encode("utf-16"), {}),
        ('path,title\na.jpg,"Dürer, A."\n'.encode("cp1252"), {"encoding": "cp1252"}),
        ('path,title\na.jpg,"Dürer, A."\n'.encode("latin-1"), {"encoding": "latin-1"}),
        ("path:title\na.jpg:Dürer, A.\n".encode(), {"delimiter": ":"}),
    ],
)
def test_delimiters_and_encodings(tmp_path, data, options):
    rows, _ = joined(tmp_path, data, ["a.jpg"], **options)
    assert rows["a.jpg"]["title"] == "Dürer, A."


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "got an empty file"),
        (b'path,title\na.jpg,"open\n', "unexpected end of data"),
        (b"path,title\na.jpg,x\nb.jpg,x,y\n", "line 3: expected 2 fields .* got 3"),
        (b"path,title\na.jpg,x\nb.jpg\n", "line 3: expected 2 fields .* got 1"),
        (b"path,Title,title\na.jpg,x,y\n", "'title' is there twice"),
        (
            "path,title\na.jpg,Dürer\n".encode("latin-1"),
            "byte 0xfc at offset 18 is not UTF-8.*--set metadata.encoding=cp1252",
        ),
        (b"sep=;\npath;title\na.jpg;x\nb.jpg\n", "line 4: expected 2 fields .* got 1"),
        (b"path,__row\na.jpg,x\n", "'__row' is there twice"),
        (b"title,year\nx,1\n", "one of path.* got the columns title, year.* --metadata-join"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, data, words):
    with pytest.raises(UsageError, match=words):
        joined(tmp_path, data, ["a.jpg"])


def test_tables_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(ArchiveError, match="No such file"):
        joined(tmp_path, tmp_path / "none.csv", [])
    (tmp_path / "m.xlsx").write_bytes(b"PK")
    with pytest.raises(UsageError, match=r"ends in \.csv.*got \.xlsx"):
        joined(tmp_path, tmp_path / "m.xlsx", [])
    (tmp_path / "m.parquet").write_bytes(b"no Parquet")
    with pytest.raises(UsageError, match="expected Parquet"):
        joined(tmp_path, tmp_path / "m.parquet", [])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"path": ', "line 2: expected one JSON object. Expecting value"),
        ("[1]", r"line 2: expected one JSON object, got '\[1\]'"),
        ('{"path": "\\ud800"}', "line 2: .* surrogate pair"),
        ('{"PATH": "x"}', "'PATH' is there twice"),
        ('{"path": ' + "[" * 100_000, "line 2: expected one JSON object"),
        (json.dumps({str(key): 1 for key in range(6000)}), "more than 5,000 different keys"),
    ],
)
def test_what_is_wrong_with_json_lines_is_said(tmp_path, line, words):
    (tmp_path / "m.jsonl").write_text(f'{{"path": 1}}\n{line}\n')
    with pytest.raises(UsageError, match=words):
        joined(tmp_path, tmp_path / "m.jsonl", [])


def test_an_unknown_encoding_is_said(tmp_path):
    with pytest.raises(UsageError, match=r"metadata\.encoding.*'klingon'"):
        joined(tmp_path, "path\na.jpg\n", ["a.jpg"], encoding="klingon")


def test_the_version_is_that_of_the_bytes(tmp_path):
    versions = []
    for text in ("path\na.jpg\n", "path\na.jpg\n", "path\nb.jpg\n"):
        (tmp_path / "m.csv").write_text(text)
        with join_metadata(
            at(tmp_path / "m.csv"), ARCHIVE, "met", pa.table({"path": ["a.jpg"]})
        ) as j:
            versions.append(j.version)
    assert versions[0] == versions[1] != versions[2]


@pytest.mark.s3
def test_a_table_may_lie_in_object_storage(s3):
    place = s3.location()
    place.objects().put("m.csv", b"path,n\na.jpg,1\n")
    with join_metadata(place.child("m.csv"), place, "met", pa.table({"path": ["a.jpg"]})) as join:
        assert join.source == f"{place.uri}/m.csv"
        assert join.table().num_rows == 1
    missing = join_metadata(place.child("none.csv"), place, "met", pa.table({"path": ["a"]}))
    with pytest.raises(ArchiveError, match=r"Cannot read the table .*none\.csv"), missing:
        pass
