import datetime as dt

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from artcluster.errors import UsageError
from artcluster.schema import ASSIGNMENTS, CLUSTER_NAMES, EMBEDDINGS, IMAGES, RUNS
from artcluster.store import Store, shard_name
from artcluster.store.metadata import kept_as_text, metadata_version, replace_metadata
from artcluster.store.views import (
    VIEWS,
    duckdb_connection,
    metadata_columns,
    read_view,
    spark_sql,
)
from tests.store.rows import EMBEDDER, PARTITION, content_id, vectors

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def add(store: Store, table, *rows: dict) -> None:
    full = [dict.fromkeys(table.schema.names) | row for row in rows]
    store.append(table, pa.Table.from_pylist(full, table.schema))


def image(path: str, scan_id: int = 1, status: str = "ok", minutes: int = 0, **more) -> dict:
    return {
        "archive_id": "met",
        "path": path,
        "content_id": content_id(path),
        "scan_id": scan_id,
        "status": status,
        "seen_at": NOON + dt.timedelta(minutes=minutes),
        **more,
    }


def clustered(store: Store) -> Store:
    add(store, IMAGES, image("a"), image("b"), image("c", status="rejected", reason="truncated"))
    add(store, IMAGES, image("a", 2, "removed"), image("d", 2), image("e", 2, "rejected"))
    add(store, IMAGES, image("e", 2, "ok", minutes=5))
    add(store, IMAGES, image("b") | {"archive_id": "other"})
    runs = [("r1", "m1", 0), ("r2", "m2", 1)]
    for run, model, minute in runs:
        at = NOON + dt.timedelta(minutes=minute)
        row = {"run_id": run, "model_id": model, "archive_id": "met", "created_at": at}
        add(store, RUNS, row)
        for number, path in enumerate("bd"):
            add(
                store,
                ASSIGNMENTS,
                {
                    "model_id": model,
                    "content_id": content_id(path),
                    "region": "",
                    "cluster": number + 10 * minute,
                },
            )
    for minute, name in enumerate(("suns", "moons")):
        at = NOON + dt.timedelta(minutes=minute)
        add(store, CLUSTER_NAMES, {"run_id": "r2", "cluster": 10, "name": name, "named_at": at})
    return store


def test_views_of_an_empty_store_are_empty(store):
    for view in VIEWS:
        assert read_view(store, view, "arrow").num_rows == 0


def test_views_show_the_latest_of_everything(store):
    clustered(store)
    replace_metadata(
        store, "met", "a.csv", "1", pa.table({"path": ["b", "d"], "width": [7, 8]}), None
    )
    current = read_view(store, "current_images").sort("archive_id", "path")
    assert current["path"].to_list() == ["b", "c", "d", "e", "b"]
    assert current["status"].to_list() == ["ok", "rejected", "ok", "ok", "ok"]
    assert read_view(store, "rejects")["path"].to_list() == ["c"]
    latest = read_view(store, "latest", "arrow").sort_by("path").to_pylist()
    shown = [(row["path"], row["run_id"], row["cluster"], row["cluster_name"]) for row in latest]
    met = [("b", "r2", 10, "moons"), ("d", "r2", 11, None), ("e", "r2", None, None)]
    assert sorted(shown, key=str) == sorted([*met, ("b", None, None, None)], key=str)
    by_path = {row["path"]: row for row in latest if row["archive_id"] == "met"}
    assert by_path["b"]["metadata_width"] == 7
    assert by_path["b"]["width"] is None
    assert list(read_view(store, "latest", "pandas").columns) == list(latest[0])


def test_a_connection_answers_sql_with_its_limits(store, tmp_path):
    clustered(store)
    with duckdb_connection(
        store, memory_limit="256MB", temp_directory=tmp_path, threads=1
    ) as connection:
        found = connection.sql("SELECT count(*), max(cluster) FROM latest JOIN runs USING (run_id)")
        assert found.fetchall() == [(3, 11)]
        shown = connection.sql("SELECT current_setting('memory_limit'), current_setting('threads')")
        assert shown.fetchall() == [("244.1 MiB", 1)]
        assert connection.sql("SELECT path FROM images WHERE reason IS NOT NULL").fetchall() == [
            ("c",)
        ]


def test_metadata_is_replaced_a_source_at_a_time(store):
    def rows(**columns) -> pa.Table:
        return pa.table(columns)

    def merged(as_of=None) -> list[dict]:
        with duckdb_connection(store, as_of=as_of) as connection:
            return (
                connection.sql("SELECT * FROM current_metadata ORDER BY path")
                .to_arrow_table()
                .to_pylist()
            )

    assert metadata_version(store, "met") == ""
    first = replace_metadata(
        store, "met", "works.csv", "v1", rows(path=["a", "b"], Genre=["x", "y"]), None
    )
    replace_metadata(store, "met", "dates.csv", "v1", rows(path=["a"], year=[1893]), None)
    assert merged() == [
        {"archive_id": "met", "path": "a", "Genre": "x", "year": 1893},
        {"archive_id": "met", "path": "b", "Genre": "y", "year": None},
    ]
    before = metadata_version(store, "met")
    replace_metadata(
        store, "met", "works.csv", "v2", rows(path=["b", "c"], genre=[None, "z"]), None
    )
    after = metadata_version(store, "met")
    assert before < after
    assert [(row["path"], row["Genre"]) for row in merged()] == [
        ("a", None),
        ("b", None),
        ("c", "z"),
    ]
    assert [row["Genre"] for row in merged(before)] == ["x", "y"]
    assert [row["year"] for row in merged(first)] == [None, None]
    # The same again is done already; another archive's is its own.
    version = store.table("metadata").version
    again = replace_metadata(
        store, "met", "works.csv", "v2", rows(path=["b", "c"], genre=[None, "z"]), None
    )
    assert again == after
    assert store.table("metadata").version == version
    assert metadata_version(store, "other") == ""


def test_a_source_without_rows_takes_its_rows_away(local_store):
    replace_metadata(local_store, "met", "a.csv", "1", pa.table({"path": ["a"], "x": [1]}), None)
    empty = pa.table({"path": pa.array([], pa.string())})
    replace_metadata(local_store, "met", "a.csv", "2", empty, None)
    assert read_view(local_store, "current_metadata").height == 0


def test_any_type_a_file_may_have_is_kept(local_store):
    columns = {
        "path": ["a"],
        "nothing": pa.nulls(1),
        "words": pa.array(["x"]).dictionary_encode(),
        "unsigned": pa.array([200], pa.uint8()),
        "half": pa.array([0.5], pa.float16()),
        "day": pa.array([dt.date(1893, 1, 2)]),
        "time": pa.array([dt.time(12)]),
        "local": pa.array([dt.datetime(2026, 1, 1)], pa.timestamp("ns")),
        "tags": pa.array([["x", "y"]], pa.large_list(pa.large_string())),
        "Titel (deutsch), ü;": ["x"],
    }
    replace_metadata(local_store, "met", "a.parquet", "1", pa.table(columns), None)
    row = read_view(local_store, "current_metadata", "arrow").to_pylist()[0]
    assert row["unsigned"] == 200
    assert row["tags"] == ["x", "y"]
    assert row["time"].startswith("12:00")
    assert row["Titel (deutsch), ü;"] == "x"


def test_a_column_widens_where_later_values_do_not_fit(local_store):
    def shown(values, source="a.csv", archive="met"):
        rows = pa.table({"path": [str(n) for n in range(len(values))], "year": values})
        replace_metadata(local_store, archive, source, repr(values), rows, None)
        view = read_view(local_store, "current_metadata").filter(pl.col("archive_id") == archive)
        return view.sort("path")["year"].to_list()

    assert shown([1900, 1901]) == [1900, 1901]
    assert shown([1900.5, 1901.0]) == [1900.5, 1901.0]
    assert shown([1900, 1901]) == [1900.0, 1901.0]
    assert shown([1900.5, 1901.0]) == [1900.5, 1901.0]
    assert shown(["ca. 1900"], archive="louvre") == ["ca. 1900"]
    view = read_view(local_store, "current_metadata").filter(pl.col("archive_id") == "met")
    assert view.sort("path")["year"].to_list() == ["1900.5", "1901"]
    assert shown([1903, None]) == ["1903", None]
    assert shown([[1, 2], None]) == ["[1, 2]", None]
    assert shown([True]) == ["true"]
    assert metadata_columns(local_store) == ["year"]
    assert kept_as_text(local_store, "Year", pa.int64())
    assert not kept_as_text(local_store, "other", pa.int64())


def test_a_whole_number_is_never_rounded(local_store):
    barcode = 2**53 + 1
    rows = pa.table({"path": ["a"], "barcode": [barcode]})
    replace_metadata(local_store, "met", "a.parquet", "1", rows, None)
    rows = pa.table({"path": ["a"], "barcode": [0.5]})
    replace_metadata(local_store, "louvre", "a.parquet", "1", rows, None)
    view = read_view(local_store, "current_metadata").sort("archive_id")
    assert view["barcode"].to_list() == ["0.5", str(barcode)]


def test_narrow_numbers_widen_to_wide_ones(local_store):
    for number, kind in enumerate((pa.int8(), pa.int64(), pa.int32())):
        rows = pa.table({"path": ["a"], "n": pa.array([100], kind)})
        replace_metadata(local_store, f"archive{number}", "a.parquet", "1", rows, None)
    assert read_view(local_store, "current_metadata")["n"].to_list() == [100, 100, 100]


@pytest.mark.parametrize("name", ["Metadata_Version", "PATH"])
def test_names_of_keys_are_not_for_columns(local_store, name):
    rows = pa.table({"path": ["a"], name: [1]})
    with pytest.raises(UsageError, match="Rename it"):
        replace_metadata(local_store, "met", "a.csv", "1", rows, None)


def three_shards(store: Store) -> Store:
    infos = [
        store.shard_writer(EMBEDDINGS).write(shard_name(str(part)), vectors([part]), PARTITION)
        for part in range(3)
    ]
    store.commit_shards(EMBEDDINGS, infos, None)
    return store


def test_polars_scans_embeddings(local_store, s3):
    # Polars cannot yet scan a Delta table below a folder with a space in its name.
    for store in (local_store, Store.open(s3.location(), create=True)):
        place = three_shards(store).location.child("embeddings")
        scan = pl.scan_delta(place.delta_uri(), storage_options=place.delta_options() or None)
        frame = scan.collect()
        assert frame.schema["embedding"] == pl.List(pl.Float32)
        assert frame["embedder_id"].to_list() == [EMBEDDER] * 3


def test_duckdb_and_pyarrow_read_embeddings(store):
    place = three_shards(store).location.child("embeddings")
    with duckdb_connection(store) as connection:
        relation = connection.sql("SELECT embedding, content_id FROM embeddings")
        assert str(relation.types[0]) == "FLOAT[]"
        assert len(relation.fetchall()) == 3
    filesystem, path = place.arrow()
    plain = ds.dataset(
        [f"{path}/{each}" for each in store.table("embeddings").paths()], filesystem=filesystem
    )
    assert plain.schema.field("embedding").type == pa.list_(pa.float32())
    assert plain.count_rows() == 3


def test_a_glob_over_the_files_finds_whole_rows(local_store):
    three_shards(local_store)
    glob = f"{local_store.location.uri}/embeddings/embedder_id=*/*.parquet"
    relation = duckdb.sql(f"SELECT embedder_id, embedding FROM read_parquet('{glob}')")
    assert {row[0] for row in relation.fetchall()} == {EMBEDDER}
    frame = pl.scan_parquet(glob, hive_partitioning=True).collect()
    assert frame["embedder_id"].to_list() == [EMBEDDER] * 3
    assert frame.schema["embedding"] == pl.List(pl.Float32)


def test_wrong_names_are_told(local_store):
    with pytest.raises(ValueError, match="expected one of"):
        read_view(local_store, "nonsense")
    with pytest.raises(ValueError, match="expected one of"):
        read_view(local_store, "latest", "excel")


def test_spark_gets_the_same_views(s3):
    store = clustered(Store.open(s3.location(), create=True))
    script = spark_sql(store)
    assert f"'{store.location.uri.replace('s3://', 's3a://')}/images'" in script
    assert "CREATE OR REPLACE TEMPORARY VIEW latest AS" in script
    assert '"' not in script
    assert s3.options["AWS_SECRET_ACCESS_KEY"] not in script
