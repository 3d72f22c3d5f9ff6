"""That the head of cluster_configs/local.yaml asks for its token; tests/jobs submits to it."""

import pytest

pytestmark = pytest.mark.ray


def test_a_head_answers_with_the_token_alone(ray_head):
    assert ray_head.status("/api/jobs/", token=False) == 401
    assert ray_head.status("/api/jobs/", token=True) == 200
