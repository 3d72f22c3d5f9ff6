"""Every command that a manifest, a schedule or a page gives is one, with options that it has."""

import ast
import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest

from artcluster.cli.main import artcluster
from tests.deploy.kuberay import pod_templates
from tests.deploy.places import OVERLAYS, ROOT, built

NIGHTLY = ROOT / "deploy" / "nightly"
SLURM = ROOT / "cluster_configs" / "slurm"


def of_an_entrypoint(entrypoint: list[str]) -> list[str]:
    """Return verb and arguments of `python -m jobs.VERB …` or `python jobs/VERB.py …`."""
    python, *rest = entrypoint
    assert python == "python"
    if rest[0] == "-m":
        del rest[0]
        job = rest[0].replace(".", "/") + ".py"
    else:
        job = rest[0]
    assert (ROOT / job).is_file()
    return [Path(job).stem, *rest[1:]]


def of_kubernetes() -> list[list[str]]:
    found = []
    for overlay in sorted(OVERLAYS.iterdir()):
        for resource in built(overlay):
            spec = resource["spec"]
            if "Job" in resource["kind"] and resource["kind"] != "CronJob":
                entrypoint = spec.get("jobTemplate", spec)["entrypoint"]
                found.append(of_an_entrypoint(shlex.split(entrypoint)))
            if resource["kind"] == "CronJob":
                (template,) = pod_templates(resource)
                (container,) = template["spec"]["containers"]
                assert container["command"] == ["artcluster"]
                found.append(container["args"])
    return found


def of_the_crontab() -> list[list[str]]:
    found = []
    for line in (NIGHTLY / "crontab").read_text().splitlines():
        if re.match(r"[\d*]", line):
            *when, user, command = line.split(None, 6)
            assert len(when) == 5
            assert user == "archive"
            found.append(shlex.split(command.split(">>")[0])[1:])
    return found


def of_slurm() -> list[list[str]]:
    found = []
    for line in (SLURM / "scrontab").read_text().splitlines():
        if re.match(r"[\d*]", line):
            sbatch, *words = shlex.split(line.split(None, 5)[5])
            assert sbatch == "sbatch"
            (at,) = [number for number, word in enumerate(words) if word.endswith(".sbatch")]
            assert (SLURM / Path(words[at]).name).is_file()
            assert all(word.startswith("--") for word in words[:at])
            found.append(words[at + 1 :])
    return found


def of_airflow() -> list[list[str]]:
    return [
        [argument.value if isinstance(argument, ast.Constant) else "x" for argument in call.args]
        for call in ast.walk(ast.parse((NIGHTLY / "airflow_dag.py").read_text()))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "artcluster"
    ]


def of_texts() -> list[list[str]]:
    """Jobs that the docs and the configs' heads submit."""
    texts = [ROOT / "docs" / "deploy.md", *(ROOT / "cluster_configs").glob("*.yaml")]
    found = []
    for text in texts:
        for line in text.read_text().replace("\\\n", "").splitlines():
            submitted = re.search(r"ray job submit .*?-- (python (?:-m )?jobs\S+ [^`&]*)", line)
            if submitted:
                found.append(of_an_entrypoint(shlex.split(submitted[1])))
    return found


COMMANDS = [*of_kubernetes(), *of_the_crontab(), *of_slurm(), *of_airflow(), *of_texts()]


@pytest.mark.parametrize("arguments", sorted({tuple(words) for words in COMMANDS}), ids=" ".join)
def test_commands_have_the_options_they_are_given(arguments: tuple[str, ...]) -> None:
    name, *rest = arguments
    artcluster.commands[name].make_context(name, rest)


def test_each_way_updates() -> None:
    for found in (of_the_crontab(), of_slurm(), of_airflow()):
        assert [arguments[0] for arguments in found] == ["update", "vacuum"]
    verbs = [arguments[0] for arguments in of_kubernetes()]
    assert (verbs.count("update"), verbs.count("vacuum"), verbs.count("run")) == (3, 3, 1)
    assert len(of_texts()) >= 8


@pytest.mark.parametrize("job", sorted(path.stem for path in (ROOT / "jobs").glob("[a-z]*.py")))
def test_every_job_is_its_command(job: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Run as `ray job submit --working-dir` does: by its path.

    A job is named after its command, and more where Python has a module of the command's name.
    """
    command = job.partition("_")[0]
    monkeypatch.setattr("sys.argv", [f"jobs/{job}.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "jobs" / f"{job}.py"), run_name="__main__")
    assert ended.value.code == 0
    assert f"artcluster {command} " in capsys.readouterr().out
