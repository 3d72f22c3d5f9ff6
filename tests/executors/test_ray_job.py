import json

import pytest

pytestmark = pytest.mark.ray


@pytest.mark.timeout(600)
def test_a_submitted_job_runs_on_the_cluster_it_was_submitted_to(ray_head):
    assert ray_head.status("/api/jobs/", token=False) == 401
    code, output = ray_head.submit(["-m", "tests.executors.job_script"])
    assert code == 0, output
    line = next(line for line in output.splitlines() if line.startswith("outcome "))
    outcome = json.loads(line.removeprefix("outcome "))
    assert outcome["sums"] == [number * 120_000 for number in range(5)]
    assert outcome["address"].endswith(str(ray_head.port))
    assert outcome["nodes"] == 1
