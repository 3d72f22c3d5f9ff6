"""What the command line says of files that cannot be used or read, and the codes it ends with."""

import json
import re
from importlib import import_module
from pathlib import Path

import pytest

from artcluster.cli.main import main
from tests.workflows.jobs import copy_pictures

ROOT = Path(__file__).parents[2]
UNREADABLE = Path("/proc/self/mem")
SETTINGS = ("--executor", "in-process", "--backbone", "color-histogram")
KMEANS = (*SETTINGS, "--method", "kmeans", "--k", "2")
AT_ONCE = ("--set", "archive.fetch_retries=0")

needs_unreadable = pytest.mark.skipif(
    not UNREADABLE.exists(), reason="needs a file that fails to read"
)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(str(ended.value.code))


@needs_unreadable
def test_one_unreadable_file_leaves_the_rest_clustered_and_many_do_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, store = tmp_path / "images", tmp_path / "store"
    copy_pictures(images, 12)
    (images / "bad.tif").symlink_to(UNREADABLE)
    assert run("run", images, store, *KMEANS, *AT_ONCE) == 0
    out = capsys.readouterr().out
    assert "could not be read" in out
    assert "bad.tif: Input/output error" in out
    assert "silhouette" in out
    assert run("status", store) == 0
    assert "could not be read" in capsys.readouterr().out
    for name in ("worse.tif", "worst.tif"):
        (images / name).symlink_to(UNREADABLE)
    assert run("run", images, store, *KMEANS, *AT_ONCE) == 4
    out, err = capsys.readouterr()
    assert "3 of 15 files could not be read" in err
    assert "silhouette" not in out
    assert run("rejects", store, "--paths", "--reason", "unread") == 0
    found = capsys.readouterr().out.split()
    assert [Path(each).name for each in found] == ["bad.tif", "worse.tif", "worst.tif"]


@needs_unreadable
def test_a_disk_that_fails_has_a_code_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for number in range(4):
        (images / f"{number}.tif").symlink_to(UNREADABLE)
    settings = (*SETTINGS, *AT_ONCE, "--set", "archive.max_unread_in_a_row=3")
    assert run("embed", images, tmp_path / "store", *settings) == 5
    assert "3 files in a row cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["run", "update"])
def test_where_all_are_rejected_the_answer_is_that_of_embed(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, store = tmp_path / "images", tmp_path / "store"
    images.mkdir()
    for number in range(3):
        (images / f"{number}.jpg").write_bytes(b"no picture")
    backbone = ("--set", "embed.backbone=color-histogram", "--executor", "in-process")
    assert run(verb, images, store, *backbone, "--method", "kmeans", "--k", "2") == 3
    out, err = capsys.readouterr()
    assert "3 of 3 images are rejected" in err
    assert "artcluster rejects" in err
    assert "nothing new" not in out
    assert run("rejects", store) == 0
    out = capsys.readouterr().out
    assert "not-an-image: 3" in out
    assert "1.jpg" in out
    assert run("rejects", store, "--json", "--limit", "2") == 0
    (group,) = json.loads(capsys.readouterr().out)
    assert (group["count"], len(group["files"])) == (3, 2)


def test_help_readme_and_operations_state_the_same_exit_codes() -> None:
    command_line = import_module("artcluster.cli.main")
    codes = {value for name, value in vars(command_line).items() if name.startswith("EXIT_")} | {0}
    table = re.findall(r"^\| (\d+) \|", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    assert {int(code) for code in table} == codes
    for text in (command_line._EPILOG, (ROOT / "README.md").read_text()):
        sentence = text[text.index("Exit codes:") :][:700].split("Run the")[0].split("\n\n")[0]
        found = re.findall(r"(?:^|[:,\s])(\d{1,3}) (?=[a-z])", sentence)
        assert codes <= {int(code) for code in found}
