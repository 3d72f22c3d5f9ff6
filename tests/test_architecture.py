"""The house: which way imports point, how large folders and files are, what runs without ray."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
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
WORDS = {"schema", "errors", "extension_types"}
FILES_AND_TABLES = WORDS | {"location", "config"}
# What a package may import, beside itself. The order is that of docs/architecture.md.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "schema": {"errors"},
    "extension_types": {"errors"},
    "config": {"errors"},
    "location": {"errors"},
    "store": FILES_AND_TABLES,
    "archive": FILES_AND_TABLES | {"store.layout"},
    **{package: NUMERIC | {"errors"} for package in NUMERIC},
    "pages": {"errors"},
    "runtime": {"errors", "location", "training"},
    "workflows": FILES_AND_TABLES | NUMERIC | {"store", "archive", "pages", "runtime"},
    "executors": FILES_AND_TABLES | {"store", "training", "runtime"},
    "estimator": FILES_AND_TABLES | NUMERIC | {"store", "workflows", "runtime", "executors"},
    "api": FILES_AND_TABLES | NUMERIC | {"store", "workflows", "runtime", "cli"},
    "serve": FILES_AND_TABLES | NUMERIC | {"store", "workflows", "runtime"},
    "cli": FILES_AND_TABLES
    | {"lineage", "metrics", "projection"}
    | {"store", "archive", "pages", "workflows", "runtime", "executors", "serve"},
}
# Which capabilities of workflows build on which: only downward.
CAPABILITIES: dict[str, set[str]] = {
    "embedding": set(),
    "curation": {"embedding"},
    "clustering": {"embedding", "curation"},
    "growing": {"embedding", "clustering"},
    "experiments": {"embedding", "clustering"},
    "searching": {"embedding", "curation"},
    "studies": {"embedding", "clustering", "experiments"},
    "viewing": {"embedding", "curation", "clustering", "experiments", "studies"},
    "housekeeping": {"embedding", "clustering", "viewing"},
    "run.py": {"embedding", "clustering"},
}
MOST_FILES, MOST_LINES = 20, 400
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for file in FILES
}


def imports(file: Path, *, at_start: bool = False) -> Iterator[str]:
    """Yield the modules that a file imports; `at_start`: those that importing it imports."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body if at_start else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES or node.module == "artcluster" else node.module


def own_imports(file: Path) -> Iterator[list[str]]:
    """Yield the parts after `artcluster` of each import of this project's modules."""
    for name in imports(file):
        first, *parts = name.split(".")
        if first == "artcluster" and parts and parts != ["__version__"]:
            yield parts


def package_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_imports_point_one_way() -> None:
    wrong = [
        f"{file.relative_to(PACKAGE)} must not import {'.'.join(parts)}"
        for file in FILES
        if (mine := package_of(file)) not in ("__init__", "__main__")
        for parts in own_imports(file)
        if parts[0] != mine and not {parts[0], ".".join(parts)} & ALLOWED[mine]
    ]
    assert wrong == []


def test_capabilities_build_downward() -> None:
    wrong = [
        f"{file.relative_to(PACKAGE)} must not import {'.'.join(parts)}"
        for file in (PACKAGE / "workflows").rglob("*.py")
        for parts in own_imports(file)
        if len(parts) > 1 and parts[0] == "workflows" and parts[1] in CAPABILITIES
        if (mine := file.relative_to(PACKAGE).parts[1]) != parts[1]
        and parts[1] not in CAPABILITIES.get(mine, set())
    ]
    assert wrong == []


def test_no_circles() -> None:
    graph = {name: {*imports(file, at_start=True)} & {*MODULES} for name, file in MODULES.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError where there is one


def test_only_executors_import_ray() -> None:
    outside = [
        file for file in FILES if file.relative_to(PACKAGE).parts[:2] != ("executors", "ray")
    ]
    assert [file for file in outside for name in imports(file) if name.split(".")[0] == "ray"] == []


def test_sizes() -> None:
    folders = Counter(file.parent.relative_to(ROOT) for file in FILES)
    assert {folder: files for folder, files in folders.items() if files > MOST_FILES} == {}
    lines = {file.relative_to(ROOT): len(file.read_text().splitlines()) for file in FILES}
    assert {file: count for file, count in lines.items() if count > MOST_LINES} == {}


@pytest.mark.parametrize(
    ("absent", "modules"),
    [
        (["ray"], ["cli", "workflows.embedding.embed", "workflows.clustering.cluster"]),
        (
            ["ray", "deltalake", "duckdb", "obstore", "pydantic", "pyarrow"],
            [
                "images.sandbox.decoder",
                "embedders",
                "clustering.kmeans.kmeans",
                "training.refinement",
                "metrics.silhouette",
            ],
        ),
        (
            ["torch", "sklearn", "ray"],
            ["images.sandbox.decoder", "embedders", "serve", "workflows.clustering.methods"],
        ),
    ],
)
def test_imports_without(absent: list[str], modules: list[str]) -> None:
    code = f"import sys; sys.modules.update(dict.fromkeys({absent!r}))"
    code += "".join(f"; import artcluster.{module}" for module in modules)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
