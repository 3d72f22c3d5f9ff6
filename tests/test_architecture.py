"""The direction of imports, and that the core runs where ray is not installed."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "artcluster"
NUMERIC = {
    "images",
    "embedders",
    "clustering",
    "training",
    "lineage",
    "metrics",
    "projection",
}
VOCABULARY = {"schema", "errors", "redaction", "extension_types"}
RESOLVER = {"location", "credentials", "filesystems", "aws_profile"}
ALLOWED = {
    "errors": set(),
    "redaction": set(),
    "schema": {"errors"},
    "config": {"errors"},
    "credentials": {"errors", "redaction"},
    "filesystems": {"errors", "redaction", "credentials"},
    "aws_profile": {"errors", "redaction"},
    "extension_types": {"errors"},
    "location": {"errors", "redaction", "credentials", "filesystems", "aws_profile"},
    "store": VOCABULARY | RESOLVER | {"config"},
    "archive": VOCABULARY | RESOLVER | {"config"},
    "search": VOCABULARY | RESOLVER | {"config", "store"},
    "sheets": {"errors"},
    "report": {"errors"},
    "stages": VOCABULARY
    | RESOLVER
    | NUMERIC
    | {"config", "store", "archive", "search", "sheets", "report"},
    "executors": VOCABULARY | RESOLVER | {"config", "store", "stages", "training"},
    "estimator": VOCABULARY | NUMERIC | {"config", "store", "stages", "executors"},
    "serve": VOCABULARY | RESOLVER | NUMERIC | {"config", "store", "stages"},
    "cli": VOCABULARY
    | RESOLVER
    | {"config", "store", "archive", "search", "lineage", "report", "stages", "executors", "serve"},
} | {room: NUMERIC | {"errors"} for room in NUMERIC}


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "artcluster":
                yield from (f"artcluster.{alias.name}" for alias in node.names)
            else:
                yield node.module


def room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_point_one_way(file: Path) -> None:
    mine = room(file)
    if mine in ("__init__", "__main__"):
        return
    for name in imports(file):
        parts = name.split(".")
        if parts[0] != "artcluster" or len(parts) == 1 or parts[1] == "__version__":
            continue
        assert parts[1] == mine or parts[1] in ALLOWED[mine], f"{mine} must not import {name}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_only_executors_import_ray(file: Path) -> None:
    if room(file) != "executors":
        assert not [name for name in imports(file) if name.split(".")[0] == "ray"]


@pytest.mark.parametrize(
    ("absent", "modules"),
    [
        (["ray"], "artcluster.cli artcluster.stages.embed artcluster.stages.cluster"),
        (
            ["ray", "deltalake", "duckdb", "obstore", "pydantic", "pyarrow"],
            "artcluster.images.decoder artcluster.embedders artcluster.clustering.kmeans "
            "artcluster.training.refinement artcluster.metrics.silhouette",
        ),
    ],
)
def test_imports_without(absent: list[str], modules: str) -> None:
    code = f"import sys; sys.modules.update(dict.fromkeys({absent!r})); import " + ", ".join(
        modules.split()
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
