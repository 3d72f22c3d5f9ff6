"""docs/schema.md says what artcluster/schema says."""

import importlib.util
from pathlib import Path

from artcluster.schema import METADATA, TABLES

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_is_what_the_schema_says() -> None:
    spec = importlib.util.spec_from_file_location("make_schema", DOCS / "make_schema.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    written = (DOCS / "schema.md").read_text(encoding="utf-8")
    assert written == made.page(), "Run: python docs/make_schema.py"


def test_every_column_has_its_meaning() -> None:
    for table in (*TABLES.values(), METADATA):
        for column in table.schema:
            assert (column.metadata or {}).get(b"comment"), f"{table.name}.{column.name}"
