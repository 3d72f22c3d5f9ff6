import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.executors import two_machines

pytestmark = [pytest.mark.ray, pytest.mark.faults]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def outcome():
    done = subprocess.run(
        [sys.executable, "-m", "tests.executors.two_machines"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.timeout(660)
def test_one_cpu_is_enough_for_tasks_and_an_actor(outcome):
    assert outcome["one_cpu"] == [number * 120_000 for number in range(6)]


def test_a_lost_machine_loses_no_item_and_doubles_none(outcome):
    assert (outcome["machines"], outcome["left"]) == (2, 1)
    assert outcome["results"] == list(range(two_machines.ITEMS))


def test_a_joined_cluster_goes_on(outcome):
    assert outcome["joined"]
    assert outcome["cluster_outlives_executor"]
