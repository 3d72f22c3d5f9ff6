"""What the head of cluster_configs/local.yaml lets others do; tests/jobs submits to it."""

import ipaddress

import pytest

pytestmark = pytest.mark.ray


def test_a_head_answers_with_the_token_alone(ray_head):
    assert ray_head.status("/api/jobs/", token=False) == 401
    assert ray_head.status("/api/jobs/", token=True) == 200


def test_a_head_listens_on_this_machine_alone(ray_head):
    addresses = ray_head.listening()
    assert addresses
    assert all(ipaddress.ip_address(address).is_loopback for address in addresses)


def test_a_head_reports_to_nobody(ray_head):
    assert ray_head.answer("/usage_stats_enabled")["usageStatsEnabled"] is False
