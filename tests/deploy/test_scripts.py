"""Shell scripts and the Dockerfile, as their linters see them, and what they promise."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.deploy.places import ROOT, program

SCRIPTS = sorted(
    path
    for folder in ("cluster_configs", "deploy", ".ci")
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env bash")
)
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"


def lint(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_scripts_are_found() -> None:
    assert {path.name for path in SCRIPTS} >= {"install.sh", "nightly.sh", "artcluster.sbatch"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(path: Path) -> None:
    assert lint(program("shellcheck"), "--enable=quote-safe-variables", str(path)) == ""


def test_hadolint_finds_nothing() -> None:
    assert lint(program("hadolint"), str(DOCKERFILE)) == ""


def test_what_the_dockerfile_copies_is_there_and_in_the_context() -> None:
    ignore = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().split("\n")
    allowed = [line[1:] for line in ignore if line.startswith("!")]
    copied = [
        source
        for line in DOCKERFILE.read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists()
        assert any(Path(source).match(pattern) for pattern in allowed)


def test_images_are_pinned_not_root_and_report_to_nobody() -> None:
    text = DOCKERFILE.read_text()
    assert re.search(r"^ARG PYTHON_IMAGE=python:\d+\.\d+\.\d+-slim-\w+$", text, re.M)
    targets = re.split(r"^FROM runtime AS (\w+)$", text, flags=re.M)[1:]
    assert targets[::2] == ["cuda", "cpu"]
    for target in targets[1::2]:
        assert target.rstrip().endswith("USER 1000:1000")
    for setting in ("RAY_AUTH_MODE=token", "RAY_USAGE_STATS_ENABLED=0", "HEALTHCHECK"):
        assert setting in text


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text(), re.M))


def test_additions_do_not_contradict_the_lock() -> None:
    """`make lock` makes both: what is pinned twice would be installed in one of two versions."""
    additions = pins("deploy/additions.lock")
    assert {"faiss-gpu", "gcsfs", "adlfs"} <= additions.keys()
    assert not additions.keys() & pins("requirements.lock").keys()


def test_the_locks_have_all_that_is_installed() -> None:
    """Else `deploy/install.sh` refuses, for want of a hash: `make lock` mends it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for name, extra in project["optional-dependencies"].items():
        wanted += [] if name in ("dev", "demo") else extra
    names = {re.split(r"[^\w.-]", name)[0].lower().replace("_", "-") for name in wanted}
    assert names <= pins("requirements.lock").keys() | pins("deploy/additions.lock").keys()


def test_the_build_uses_the_uv_of_the_makefile() -> None:
    (version,) = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.M)
    assert pins("deploy/build.lock")["uv"] == version


@pytest.mark.parametrize("arguments", [[], ["env", "metal"]])
def test_install_says_what_it_expects(arguments: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [str(ROOT / "deploy" / "install.sh"), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "the folder of the virtual environment" in done.stderr or "metal" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("breaks", "code"), [("", 0), ("exec", 7), ("up", 7)])
def test_nightly_ends_its_cluster_whatever_became_of_the_job(
    tmp_path: Path, breaks: str, code: int
) -> None:
    """With a fake `ray`, which notes what it is asked: there is no cloud to start machines in."""
    asked = tmp_path / "asked"
    fake = tmp_path / "ray"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {asked}\n[ "$1" != "{breaks}" ] || exit 7\n')
    fake.chmod(0o755)
    done = subprocess.run(
        [ROOT / "cluster_configs" / "nightly.sh", "c.yaml", "update", "s3://a b/x", "s3://s"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        check=False,
    )
    assert done.returncode == code
    first, *middle, last = asked.read_text().splitlines()
    assert (first, last) == ("up --yes c.yaml", "down --yes c.yaml")
    if breaks != "up":
        (job,) = middle
        assert "RAY_AUTH_MODE=token ray job submit" in job
        assert job.endswith("-- 'python' '-m' 'jobs.update' 's3://a b/x' 's3://s'")
