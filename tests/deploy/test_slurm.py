"""Slurm's script with stand-ins for Slurm's and Ray's programs: what it starts, and how it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.places import ROOT

SCRIPT = ROOT / "cluster_configs" / "slurm" / "artcluster.sbatch"
STAND_INS = {
    "scontrol": "printf 'localhost\\nlocalhost\\n'",
    # As Slurm ends the steps of Ray, which does not go at SIGTERM in time.
    "srun": 'trap "exit 137" TERM; echo "${*//$\'\\n\'/ }" >>"$CALLS"; while :; do sleep 0.1; done',
    "ray": "printf ' 1 node_a\\n 1 node_b\\n'",
    "artcluster": """
        trap 'echo asked to end; exit 143' TERM
        echo "artcluster $* on $RAY_ADDRESS with a token of ${#RAY_AUTH_TOKEN}"
        until (($(wc -l <"$CALLS") == 2)); do sleep 0.05; done
        if [[ $1 = wait ]]; then while :; do sleep 0.1; done; fi
        exit "$2"
    """,
}


@pytest.fixture
def start(tmp_path: Path):
    """Return what starts the script with arguments; what was started in it ends with the test."""
    place = tmp_path / "env" / "bin"
    place.mkdir(parents=True)
    for name, body in STAND_INS.items():
        (place / name).write_text(f"#!/usr/bin/env bash\n{body}\n")
        (place / name).chmod(0o755)
    (place / "python").symlink_to(sys.executable)
    environment = os.environ | {
        "ARTCLUSTER_ENV": str(place.parent),
        "CALLS": str(tmp_path / "calls"),
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NODELIST": "localhost",
    }
    started = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        job = subprocess.Popen(
            ["bash", SCRIPT, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(job)
        return job

    yield run
    for job in started:
        job.stdout.close()
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()


@pytest.mark.parametrize("code", [0, 3])
def test_its_code_is_the_commands_whatever_becomes_of_rays_steps(start, tmp_path, code: int):
    job = start("exit", str(code))
    told, _ = job.communicate(timeout=60)
    assert job.returncode == code
    assert told.startswith(f"artcluster exit {code} on 127.0.0.1:20007 with a token of 64")
    steps = (tmp_path / "calls").read_text().splitlines()
    assert len(steps) == 2
    assert "--head --port=20007" in steps[0]
    assert "--address=127.0.0.1:20007" in steps[1]


def test_slurms_signal_is_handed_on_and_the_commands_code_returned(start):
    job = start("wait")
    assert job.stdout.readline().startswith("artcluster wait on")
    job.send_signal(signal.SIGTERM)
    told, _ = job.communicate(timeout=60)
    assert (job.returncode, told) == (143, "asked to end\n")


def test_without_a_command_it_says_what_is_expected(start):
    job = start()
    job.communicate(timeout=60)
    assert job.returncode == 2
