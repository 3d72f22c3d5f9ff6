"""docs/sizing.md has the table that the arithmetic gives today."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_the_table_is_what_the_arithmetic_says() -> None:
    spec = importlib.util.spec_from_file_location("make_sizing", DOCS / "make_sizing.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    written = (DOCS / "sizing.md").read_text(encoding="utf-8")
    assert written == made.page(written), "Run: python docs/make_sizing.py"
