"""A job on a real cluster: Prometheus reads its numbers, and SIGTERM ends it politely."""

import signal
import time
from pathlib import Path

import pytest

from artcluster.runtime import progress as meters
from artcluster.store import Store
from tests.cli.test_graceful_shutdown import GRANTED_S, known_paths, told
from tests.faults.driver import Driver
from tests.faults.kills import wait_for
from tests.ray_session import RayHead
from tests.workflows.jobs import copy_pictures

pytestmark = pytest.mark.ray

PICTURES = 340
SETTINGS = {
    "embed.backbone": "random:mobilenet_v2",
    "embed.engine": "torch",
    "embed.part_images": 4,
    "embed.commit_every_images": 8,
}
SHOWN = {
    f"ray_{meter.name}" + ("_total" if meter.kind == "counter" else "")
    # There is no GPU, and queues are looked at every few seconds.
    for meter in set(meters.ALL) - {meters.GPU_IDLE, meters.QUEUE, meters.IN_WORK}
}


@pytest.mark.timeout(600)
def test_a_job_on_a_cluster_shows_numbers_and_ends_politely(
    ray_head: RayHead, tmp_path: Path
) -> None:
    images, store = tmp_path / "images", tmp_path / "store"
    copy_pictures(images, PICTURES)
    (images / "a-page.jpg").write_text("<html>not found</html>")
    environment = ray_head.environment | {"RAY_ADDRESS": f"127.0.0.1:{ray_head.port}"}
    given = ("embed", images, store, "--log-format", "json")
    job = Driver(*given, log=tmp_path / "log", settings=SETTINGS, environment=environment, on="ray")
    missing = SHOWN

    def is_shown() -> bool:
        nonlocal missing
        time.sleep(0.2)
        numbers = ray_head.numbers()
        missing = {name for name in SHOWN if f"\n{name}{{" not in numbers}
        return not missing

    assert wait_for(is_shown, job), (missing, job.text()[-4000:])
    assert 'reason="not-an-image"' in ray_head.numbers()
    job.send(signal.SIGTERM)
    code = job.process.wait(timeout=GRANTED_S)
    assert code == 143, job.text()[-4000:]
    finished = sum(part["images"] for part in told(job, "part"))
    assert len(known_paths(store)) == finished < PICTURES
    with Store.open(store).lease("images=anything"):
        pass
    assert "Traceback" not in job.text()
    assert "SIGTERM received" not in job.text(), "Ray's core took the signal for a crash"
