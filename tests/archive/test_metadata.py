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
            assert join.report.images_without == 3
            assert join.report.columns["path"] == "user_path"
            rows = {row["path"]: row for row in join.table().to_pylist()}
        prefix = "images/" if root == DEMO else ""
        row = rows[f"{prefix}constellations/aztec/aztec0.jpg"]
        assert (row["style"], row["source"]) == ("aztec", "stellarium")
        assert row["metadata_source"] == str(DEMO / "metadata.csv")


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("a/one.jpg", "path"),
        ("./a\\one.jpg", "path"),
        ("/museum/scans/a/one.jpg", "path"),
        ("one.jpg", "end of the path"),
        ("old/place/a/one.jpg", "path below a folder"),
        ("elsewhere/one.jpg", "file name"),
        ("one", "file name without extension"),
        ("tiffs/one.tif", "file name but for the extension"),
    ],
)
def test_a_row_names_its_image_in_many_ways(tmp_path, value, rule):
    paths = ["a/one.jpg", "a/two.jpg", "b/two.jpg"]
    rows, report = joined(tmp_path, f"file,n\n{value},7\n", paths)
    assert report.matched == {rule: 1}
    assert rows["a/one.jpg"]["n"] == 7


def test_where_there_is_doubt_nothing_is_joined_but_counted(tmp_path):
    table = "file,n\ntwo.jpg,1\na/one.jpg,2\na/one.jpg,3\nb/two.jpg,4\nnone.jpg,5\n,6\n"
    rows, report = joined(tmp_path, table, ["a/one.jpg", "a/two.jpg", "b/two.jpg"])
    assert set(rows) == {"b/two.jpg", "a/two.jpg"}
    rows, report = joined(tmp_path, "file,n\ntwo.jpg,1\n", ["a/two.jpg", "b/two.jpg"])
    assert (rows, report.ambiguous, report.images_without) == ({}, 1, 2)
    rows, report = joined(tmp_path, table, ["a/one.jpg", "x/one.jpg"])
    assert (report.rows, report.ambiguous, report.unmatched) == (6, 2, 4)
    assert report.examples["ambiguous"] == ("a/one.jpg", "a/one.jpg")
    assert report.examples["unmatched"] == ("two.jpg", "b/two.jpg", "none.jpg", "")
    assert report.examples["without"] == ("a/one.jpg", "x/one.jpg")


def test_accents_composed_and_decomposed_are_the_same_name(tmp_path):
    path = unicodedata.normalize("NFD", "Dürer/é.jpg")
    rows, report = joined(tmp_path, "file,n\nDürer/é.jpg,1\n", [path])
    assert report.matched == {"path": 1}
    assert set(rows) == {path}


def test_types_are_found_and_names_kept_from_becoming_numbers(tmp_path):
    table = (
        "id,inventory,accession,price,year,day,public,Title (English),path,note\n"
        '1,007,1984.1,0.50,1888,2020-01-31,true,"A, b",x,\n'
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


def test_parquet_and_json_lines_keep_their_types(tmp_path):
    paths = ["a.jpg", "b.jpg"]
    table = pa.table(
        {
            "path": paths,
            "tags": [["x"], []],
            "count": pa.array([1, 2], pa.uint32()),
            "made": pa.array([0, 1], pa.time32("s")),
        }
    )
    pq.write_table(table, tmp_path / "m.parquet")
    rows, _ = joined(tmp_path, tmp_path / "m.parquet", paths)
    assert rows["a.jpg"]["tags"] == ["x"]
    assert (rows["b.jpg"]["count"], rows["b.jpg"]["made"]) == (2, "00:00:01")
    lines = [{"path": "a.jpg", "n": 1, "inv": "007"}, {"path": "b.jpg", "x": {"y": 1}}]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))
    rows, _ = joined(tmp_path, tmp_path / "m.jsonl", paths)
    assert (rows["a.jpg"]["n"], rows["a.jpg"]["inv"], rows["b.jpg"]["n"]) == (1, "007", None)


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ("path;title\na.jpg;Dürer, A.\n".encode(), {}),
        ("path\ttitle\r\na.jpg\tDürer, A.\r\n".encode("utf-8-sig"), {}),
        ('path,title\na.jpg,"Dürer, A."\n\n'.encode("utf-16"), {}),
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
            "byte 0xfc at offset 18 is not UTF-8.*cp1252",
        ),
        (b"title,year\nx,1\n", "expected the column one of path.* got the columns title, year"),
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
    (tmp_path / "m.jsonl").write_text('{"path": 1}\n{"path": \n')
    with pytest.raises(UsageError, match="one JSON object a line"):
        joined(tmp_path, tmp_path / "m.jsonl", [])


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
