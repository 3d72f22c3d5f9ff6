"""Queries that somebody else wrote: answers in every format, and no way out of the store."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from artcluster.errors import UsageError
from artcluster.store.formats import WRITERS
from artcluster.store.sql import open_for_queries, query
from tests.curated import Curated

MEMORY = 256 << 20


@pytest.fixture(scope="module")
def tables(curated: Curated) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_for_queries(curated.open(), memory_bytes=MEMORY) as opened:
        yield opened


WAYS_OUT = [
    "SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM '{secret}'",
    "SELECT * FROM read_text('{secret}')",
    "SELECT * FROM read_blob('{secret}')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM sniff_csv('{secret}')",
    "SELECT * FROM read_json_objects('{secret}')",
    "SELECT * FROM read_parquet('{folder}/*.parquet')",
    "SELECT * FROM parquet_metadata('{folder}/a.parquet')",
    "SELECT * FROM query('FROM read_text(''{secret}'')')",
    "SELECT * FROM read_text('http://127.0.0.1:1/secret')",
    "SELECT * FROM 's3://bucket/secret.parquet'",
    "SELECT getenv('HOME')",
    "SELECT * FROM secret_of_python",
    "SELECT * FROM enable_logging(storage = 'file', storage_path = '{folder}/log')",
    "COPY (SELECT 1) TO '{folder}/out.csv'",
    "COPY images FROM '{secret}'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/out.csv'",
    "EXPORT DATABASE '{folder}/out'",
    "IMPORT DATABASE '{folder}'",
    "ATTACH '{folder}/out.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{folder}/evil.duckdb_extension'",
    "CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "SET temp_directory = '{folder}'",
    "PRAGMA database_list",
    "CREATE TABLE mine AS SELECT 1",
    "DROP VIEW latest",
    "DELETE FROM images",
    "CALL pragma_version()",
    "PREPARE later AS SELECT 1",
    "SELECT 1; SELECT 2",
    "",
]


@pytest.mark.parametrize("way", WAYS_OUT)
def test_there_is_no_way_out(tables: duckdb.DuckDBPyConnection, tmp_path: Path, way: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nsesame\n")
    secret_of_python = pa.table({"word": ["sesame"]})
    assert secret_of_python.num_rows
    sql = way.format(secret=secret, folder=tmp_path)
    with pytest.raises(UsageError) as refused:
        query(tables, sql).read_all()
    assert "sesame" not in str(refused.value)
    assert query(tables, "SELECT count(*) AS n FROM runs").read_all()["n"].to_pylist() == [1]
    assert [file.name for file in tmp_path.iterdir()] == ["secret.csv"]


def test_files_are_read_where_that_is_allowed_but_not_written(
    curated: Curated, tmp_path: Path
) -> None:
    (tmp_path / "mine.csv").write_text("path,loan\ncopy.jpg,Paris\n")
    sql = f"SELECT path, loan FROM latest JOIN '{tmp_path}/mine.csv' USING (path)"
    with open_for_queries(curated.open(), memory_bytes=MEMORY, allow_files=True) as tables:
        found = query(tables, sql, allow_files=True).read_all().to_pylist()
        assert found == [{"path": "copy.jpg", "loan": "Paris"}]
        for way in (
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            f"EXPLAIN ANALYZE COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            "SET memory_limit = '1TB'",
        ):
            with pytest.raises(UsageError):
                query(tables, way, allow_files=True)
    assert not (tmp_path / "out.csv").exists()


def test_memory_is_bounded(curated: Curated) -> None:
    with open_for_queries(curated.open(), memory_bytes=64 << 20) as tables:
        limit = query(tables, "SELECT current_setting('memory_limit') AS n").read_all()
        assert limit["n"].to_pylist() == ["64.0 MiB"]
        # Larger than memory, and no file may be opened: it still spills.
        hashes = "SELECT sha256(CAST(i AS VARCHAR)) AS h FROM range(1_000_000) AS numbers(i)"
        last = f"SELECT h FROM ({hashes}) ORDER BY h LIMIT 1 OFFSET 999_999"
        assert query(tables, last).read_all().num_rows == 1


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT paht FROM latest", "path"),
        ("SELECT * FROM lastest", "latest"),
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM read_text('/etc/hostname')", "--allow-files"),
        ("DROP VIEW latest", "expected one SELECT"),
        ("SELECT CAST('x' AS INTEGER)", "x"),
    ],
)
def test_errors_are_short_and_say_what_there_is(
    tables: duckdb.DuckDBPyConnection, sql: str, words: str
) -> None:
    with pytest.raises(UsageError) as wrong:
        query(tables, sql).read_all()
    assert words in str(wrong.value)
    assert "\n" not in str(wrong.value)
    assert len(str(wrong.value)) < 500


@pytest.mark.parametrize(
    "sql",
    [
        "FROM latest SELECT count(*)",
        "PIVOT latest ON cluster USING count(*) GROUP BY genre",
        "DESCRIBE latest",
        "SHOW TABLES",
        "SUMMARIZE runs",
        "EXPLAIN SELECT 1",
        "WITH a AS (SELECT 1) FROM a",
        "VALUES (1)",
    ],
)
def test_every_kind_of_question_is_answered(tables: duckdb.DuckDBPyConnection, sql: str) -> None:
    assert query(tables, sql).read_all().num_rows


ODD = """
SELECT 1 AS n, 'a,"b"' AS text, 1 AS N, [1.5::DOUBLE, NULL] AS list, {'a': 'ü'} AS struct,
    'nan'::DOUBLE AS odd, TIMESTAMPTZ '2026-01-02 03:04:05+00' AS made, NULL AS nothing,
    'x'::BLOB AS bytes, INTERVAL 1 DAY AS span, 1.50::DECIMAL(9, 2) AS price,
    DATE '1893-01-02' AS day
"""


def test_formats_hold_every_type(tables: duckdb.DuckDBPyConnection) -> None:
    written = {}
    for name, write in WRITERS.items():
        target = io.BytesIO()
        write(query(tables, ODD), target)
        written[name] = target.getvalue()
    (row,) = json.loads(written["json"])
    assert row["list"] == [1.5, None]
    assert row["struct"] == {"a": "ü"}
    assert row["odd"] is None
    assert row["made"].startswith("2026-01-02T03:04:05")
    table = pacsv.read_csv(io.BytesIO(written["csv"])).to_pylist()[0]
    assert (table["text"], table["n"], table["N_2"]) == ('a,"b"', 1, 1)
    assert json.loads(table["list"]) == [1.5, None]
    parquet = pq.read_table(io.BytesIO(written["parquet"])).to_pylist()[0]
    assert parquet["list"] == [1.5, None]
    assert parquet["bytes"] == b"x"
