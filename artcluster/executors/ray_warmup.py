"""Start what a first stream will need while the driver is still busy with something else.

Each of Ray's processes takes seconds to start, most of it importing; on a cluster of our own they
may as well do so while an archive is being listed.
"""

import contextlib
from typing import Any

import ray


def warm_up(cpus: int) -> None:
    """Begin to start worker processes and Ray Data's own actors; waits for none of them."""
    task = ray.remote(num_cpus=1, max_retries=0)(_import_what_tasks_need)
    for _ in range(cpus):
        task.remote()
    with contextlib.suppress(Exception):
        _start_actors_of_ray_data()


def _import_what_tasks_need() -> None:
    import ray.data._internal.execution.operators.map_operator  # noqa: F401

    import artcluster.executors.ray_steps  # noqa: F401


def _start_actors_of_ray_data() -> None:
    """Start those that Ray Data asks for by name; another version of it may have other ones."""
    from ray.data._internal.cluster_autoscaler import get_or_create_autoscaling_coordinator
    from ray.data._internal.execution.node_trackers.actor_location import (
        get_or_create_actor_location_tracker,
    )
    from ray.data._internal.stats import get_or_create_stats_actor

    starts: list[Any] = [
        get_or_create_stats_actor,
        get_or_create_autoscaling_coordinator,
        get_or_create_actor_location_tracker,
    ]
    for start in starts:
        start()
