from hashlib import sha256

import numpy as np
import pytest
import ray

from artcluster.errors import ArtclusterError
from artcluster.executors.local import LocalClaims
from artcluster.executors.ray.coordinator import RayClaims, start_coordinator
from artcluster.runtime.executor import Step

pytestmark = pytest.mark.ray

IDS = [sha256(bytes([number])).hexdigest() for number in range(200)]


class ClaimIn:
    """A step that claims the contents of a part, twice, as a retried task does."""

    def __init__(self, claims):
        self.claims = claims

    def __call__(self):
        def apply(item):
            part, contents = item
            first = self.claims.claim(part, contents)
            assert (self.claims.claim(part, contents) == first).all()
            return part, first.tolist()

        return apply


def test_workers_ask_one_registry(ray_executor):
    claims = ray_executor.claims([IDS[:3], IDS[3:5]])
    parts = [(f"part-{number}", IDS[:20]) for number in range(4)]
    steps = [Step("claim", ClaimIn(claims))]
    answers = dict(ray_executor.stream(parts, steps, stall_timeout_s=300))
    granted = np.array([answers[part] for part, _ in parts])
    assert (granted[:, :5] == 2).all()
    assert ((granted[:, 5:] == 0).sum(0) == 1).all()
    assert (granted[:, 5:] != 2).all()


def test_shards_answer_as_one_and_their_loss_is_an_error(ray_executor):
    ray_executor.resources()
    coordinators = [start_coordinator(), start_coordinator()]
    batches = [IDS[at : at + 7] for at in range(0, 70, 7)]
    here, there = LocalClaims(batches), RayClaims(coordinators, batches)
    rng = np.random.default_rng(0)
    for number in range(12):
        contents = [IDS[at] for at in rng.integers(0, 200, 30)]
        part = f"part-{number % 5}"
        assert (here.claim(part, contents) == there.claim(part, contents)).all()
    assert there.claim("part-0", []).tolist() == []
    ray.kill(coordinators[1])
    with pytest.raises(ArtclusterError, match="start the same command again"):
        there.claim("part-9", IDS)
    ray.kill(coordinators[0])
