"""The log for programs: JSON alone, a line an event, without secrets."""

import json
from pathlib import Path

import pytest

from artcluster.cli import main
from artcluster.cli.log import write_event


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(str(ended.value.code))


def test_secrets_are_taken_out_and_lines_stay_json(capsys: pytest.CaptureFixture[str]) -> None:
    write_event("message", {"text": 'GET https://me:pw@host/a?sig=ab token="x y" "q"', "count": 2})
    (line,) = lines(capsys.readouterr().err)
    assert line["event"] == "message"
    assert line["count"] == 2
    assert "pw" not in line["text"]
    assert "x y" not in line["text"]


@pytest.mark.parametrize("how", ["option", "environment"])
def test_a_failure_is_a_line_too(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["embed", tmp_path / "nowhere", tmp_path / "store", "--executor", "in-process"]
    given += ["--backbone", "color-histogram"]
    if how == "option":
        given += ["--log-format", "json"]
    else:
        monkeypatch.setenv("ARTCLUSTER_LOG_FORMAT", "json")
    assert run(*given) == 2
    found = lines(capsys.readouterr().err)
    assert {"at", "level", "event"} <= found[0].keys()
    assert (found[-1]["event"], found[-1]["exit_code"]) == ("failed", 2)
    assert "nowhere" in found[-1]["text"]
    monkeypatch.delenv("ARTCLUSTER_LOG_FORMAT", raising=False)
    assert run("status", tmp_path / "nowhere") == 2
    assert capsys.readouterr().err.startswith("artcluster: "), "the format is one command's own"
