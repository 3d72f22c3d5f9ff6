"""An autoscaler is asked for machines, and what comes is used."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.autoscaling import AutoscaledCluster
from tests.executors.ray.growing import ITEMS, MACHINES

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[3]


@pytest.mark.timeout(300)
def test_one_worker_becomes_three_and_all_embed(tmp_path):
    with AutoscaledCluster(most=MACHINES) as cluster:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.executors.ray.growing"),
                *(cluster.address, str(tmp_path / "grown")),
            ],
            cwd=ROOT,
            env=cluster.environment,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-4000:]
    results = json.loads(done.stdout.splitlines()[-1])
    assert sorted(number for number, *_ in results) == list(range(ITEMS))
    assert len({machine for _, machine, _, _, _ in results}) == MACHINES
    assert len({machine for _, _, _, machine, _ in results}) == MACHINES
    # One actor, then one a machine: models are not loaded again and again.
    assert len({process for *_, process in results}) <= 2 * MACHINES
