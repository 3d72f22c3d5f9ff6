"""The scheduled jobs: their manifests fit the schemas, their commands are commands."""

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import ray
import yaml

from artcluster.cli.main import artcluster

NIGHTLY = Path(__file__).parents[2] / "deploy" / "nightly"
JOB = {
    *("entrypoint", "backoffLimit", "activeDeadlineSeconds", "shutdownAfterJobFinishes"),
    *("ttlSecondsAfterFinished", "rayClusterSpec"),
}
GROUP = {"rayStartParams", "template", "groupName", "replicas", "minReplicas", "maxReplicas"}


def documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all((NIGHTLY / name).read_text()))


def commands() -> list[list[str]]:
    """Return the arguments of every command that the files run."""
    found = []
    for document in documents("kubernetes.yaml"):
        (container,) = document["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        assert container["command"] == ["artcluster"]
        found.append(container["args"])
    (night,) = documents("kuberay.yaml")
    python, module, job, *rest = shlex.split(night["spec"]["jobTemplate"]["entrypoint"])
    assert (python, module) == ("python", "-m")
    assert (NIGHTLY.parents[1] / (job.replace(".", "/") + ".py")).exists()
    found.append([job.removeprefix("jobs."), *rest])
    for line in (NIGHTLY / "crontab").read_text().splitlines():
        if re.match(r"[\d*]", line):
            *when, user, command = line.split(None, 6)
            assert len(when) == 5
            assert user == "archive"
            found.append(shlex.split(command.split(">>")[0])[1:])
    found += [
        [argument.value if isinstance(argument, ast.Constant) else "x" for argument in call.args]
        for call in ast.walk(ast.parse((NIGHTLY / "airflow_dag.py").read_text()))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "artcluster"
    ]
    return found


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_commands_have_the_options_they_are_given(arguments: list[str]) -> None:
    name, *rest = arguments
    artcluster.commands[name].make_context(name, rest)


def test_each_way_updates_and_cleans() -> None:
    assert [arguments[0] for arguments in commands()] == [
        *("update", "vacuum", "update", "update", "vacuum", "update", "vacuum")
    ]


@pytest.mark.parametrize("number", [0, 1])
def test_cron_jobs_fit_kubernetes_schema(number: int) -> None:
    kubernetes_validate.validate(documents("kubernetes.yaml")[number], "1.33", strict=True)


def test_the_ray_cron_jobs_pods_fit_kubernetes_schema() -> None:
    """KubeRay's own schema is in no package: its fields are listed here as its CRD has them."""
    (night,) = documents("kuberay.yaml")
    assert (night["apiVersion"], night["kind"]) == ("ray.io/v1", "RayCronJob")
    assert night["spec"].keys() == {"schedule", "timeZone", "jobTemplate"}
    job = night["spec"]["jobTemplate"]
    assert job.keys() == JOB
    cluster = job["rayClusterSpec"]
    assert cluster["rayVersion"] == ray.__version__
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert group.keys() <= GROUP
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        pod = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}}
        kubernetes_validate.validate(pod | {"template": group["template"]}, "1.33", strict=True)
