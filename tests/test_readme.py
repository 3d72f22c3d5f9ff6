"""Every snippet of the README runs, as a reader would run it."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.absent import PEERS, absent
from tests.cli.test_commands import run
from tests.curated import Curated

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SECTION = README.partition("## Ask the store")[2].partition("\n## ")[0]
COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", SECTION, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("artcluster ")
    and not line.startswith(("artcluster serve", "artcluster report"))
]


@pytest.fixture
def beside_the_store(curated: Curated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a `demo-store`, to run snippets in."""
    shutil.copytree(curated.store, tmp_path / "demo-store")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_snippets_for_every_library() -> None:
    text = "\n".join(PYTHON)
    for library in ("duckdb", "polars", "pandas", "pyspark", "deltalake", "*.parquet"):
        assert library in text


@pytest.mark.parametrize("snippet", PYTHON, ids=[each.splitlines()[0] for each in PYTHON])
def test_python(snippet: str, beside_the_store: Path) -> None:
    if "demo-store" not in snippet:
        pytest.skip("needs more than a store")
    if "pyspark" in snippet:
        if not (PEERS / "spark").exists() or shutil.which("java") is None:
            absent("Spark (make peers, needs Java)")
        snippet += "\nassert images.count() > 20\nspark.stop()\n"
    done = subprocess.run(
        [sys.executable, "-c", snippet],
        cwd=beside_the_store,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
        env={**os.environ, "PYTHONPATH": str(PEERS / "spark")},
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(command: str, beside_the_store: Path) -> None:
    assert run(*shlex.split(command)[1:]) == 0
