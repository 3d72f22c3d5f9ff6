"""The layout of a store: one table of its folders, and no path spelled anywhere else."""

import ast
from collections.abc import Iterator
from pathlib import Path

from artcluster.store.layout import FOLDERS, MARK
from artcluster.workflows.housekeeping.vacuum import RULES

PACKAGE = Path(__file__).parents[2] / "artcluster"
LAYOUT = PACKAGE / "store" / "layout.py"
FILES = [
    file
    for file in PACKAGE.rglob("*.py")
    if file != LAYOUT and PACKAGE / "pages" not in file.parents
]
TAKE_PATHS = {"child", "list", "list_sizes", "entries", "read_bytes", "write_bytes", "exists"}
ELSEWHERE = {
    # Addresses in a report, which has folders of its own.
    "workflows/viewing/report/history.py": {"studies/"},
}


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the literal texts of a file, without docstrings."""
    lines = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in lines:
            yield node.lineno, node.value


def test_no_path_of_a_store_is_spelled_outside_the_layout() -> None:
    beginnings = [f"{name}/" for name in FOLDERS]
    found = []
    for file in FILES:
        where = file.relative_to(PACKAGE).as_posix()
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for line, text in texts(tree):
            known = ELSEWHERE.get(where, set())
            if any(text.startswith(each) for each in beginnings if each not in known):
                found.append(f"{where}:{line} {text!r}")
            if "_delta_log" in text:
                found.append(f"{where}:{line} {text!r}")
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                given = node.args[0]
                if (
                    node.func.attr in TAKE_PATHS
                    and isinstance(given, ast.Constant)
                    and given.value in (*FOLDERS, MARK)
                ):
                    found.append(f"{where}:{node.lineno} {node.func.attr}({given.value!r})")
    assert found == []


def test_each_folder_has_an_owner_and_a_rule_where_something_may_be_removed() -> None:
    for name, folder in FOLDERS.items():
        assert name == folder.name
        assert folder.holds
        assert (PACKAGE / folder.owner.replace(".", "/")).is_dir(), folder
        if folder.removal not in ("never", "by rows"):
            assert name in RULES, folder
