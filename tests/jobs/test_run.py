"""The whole job by `ray job submit` to a head with token authentication, as an engineer runs it."""

import json
from pathlib import Path

import pytest

from artcluster.store import Store
from tests.ray_session import RayHead
from tests.workflows.jobs import copy_pictures

pytestmark = pytest.mark.ray


@pytest.mark.timeout(900)
def test_a_submitted_run_embeds_and_clusters(ray_head: RayHead, tmp_path: Path) -> None:
    """Ray Data embeds; Ray Train pre-trains and refines on two workers."""
    copy_pictures(tmp_path / "images", 24)
    (tmp_path / "images" / "page.jpg").write_text("<html>not found</html>")
    settings = [
        *("cluster.pretrain.max_steps=10", "cluster.dec.max_iterations=10"),
        *("cluster.dec.hidden=[16]", "cluster.dec.code_dim=4", "embed.part_images=8"),
    ]
    code, output = ray_head.submit(
        [
            *("jobs/run.py", str(tmp_path / "images"), str(tmp_path / "store")),
            *("--backbone", "mobilenet_v2", "--method", "delius", "--k", "3"),
            *("--num-workers", "2", "--no-gpu", "--json"),
            *(argument for setting in settings for argument in ("--set", setting)),
        ],
        timeout_s=800,
    )
    assert code == 0, output
    assert "Traceback" not in output
    store = Store.open(tmp_path / "store")
    run = store.table("runs").read().to_pylist()[0]
    assert json.loads(run["config"])["cluster"]["workers"] == 2
    assert run["images"] == 24
    assigned = store.table("assignments").read(["content_id"])["content_id"].to_pylist()
    assert len(assigned) == len(set(assigned)) == 24
    training = json.loads(store.table("models").read(["training"])["training"][0].as_py())
    assert training["pretrain"]["steps"] == 10
    assert training["dec"]["iterations"] == 10


@pytest.mark.timeout(600)
def test_a_wrong_argument_fails_the_job_with_its_reason(ray_head: RayHead) -> None:
    code, output = ray_head.submit(["jobs/run.py", "nowhere", "also-nowhere", "--k", "1"])
    assert code != 0
    assert "cluster.k" in output
