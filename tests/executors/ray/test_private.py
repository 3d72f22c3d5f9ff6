"""Ray's private names are where private.py looks for them, and take what it gives them.

What starts and stops processes is run by the tests around this one; here a new Ray is told apart in
seconds, with the name that moved.
"""

import importlib
import inspect
import logging
from functools import reduce
from pathlib import Path

import pytest
import ray

from artcluster.executors.ray import private

ROOT = Path(__file__).parents[3]

CALLS: dict[str, set[str]] = {
    "ray._private.services:get_node_ip_address": set(),
    "ray._private.auto_init_hook:auto_init_ray": set(),
    "ray._private.authentication.authentication_token_setup:enable_token_auth_by_default": set(),
    "ray._private.authentication.authentication_token_setup:ensure_token_if_auth_enabled": {
        "system_config",
        "create_token_if_missing",
    },
    "ray._private.utils:get_dashboard_dependency_error": set(),
    "ray._private.node:Node.__init__": {
        "ray_params",
        "head",
        "shutdown_at_exit",
        "spawn_reaper",
    },
    "ray._private.node:Node.start_api_server": {"include_dashboard", "raise_on_failure"},
    "ray._private.node:Node.start_raylet": {"object_store_memory"},
    "ray._private.node:Node.kill_all_processes": {"check_alive", "allow_graceful", "wait"},
    "ray._private.node:Node.get_resource_and_label_spec": set(),
    "ray._private.node:Node.dead_processes": set(),
    "ray._private.parameter:RayParams.__init__": {
        "node_ip_address",
        "num_cpus",
        "num_gpus",
        "temp_dir",
        "include_dashboard",
        "dashboard_host",
        "no_monitor",
        "include_log_monitor",
    },
    "ray.data._internal.cluster_autoscaler:get_or_create_autoscaling_coordinator": set(),
    "ray.data._internal.execution.node_trackers.actor_location:"
    "get_or_create_actor_location_tracker": set(),
    "ray.data._internal.stats:get_or_create_stats_actor": set(),
    "ray.data._internal.execution.streaming_executor:StreamingExecutor.shutdown": {"force"},
    "ray.data:Dataset.iter_internal_ref_bundles": set(),
    "ray.train.torch:TorchTrainer._register_sigint_handler": {"controller"},
}
ATTRIBUTES = [
    "ray._private.ray_constants:ENABLE_RAY_CLUSTER",
    "ray._private.auto_init_hook:enable_auto_connect",
    "ray._private.node:Node.gcs_address",
    "ray.data:DataContext.custom_execution_callback_classes",
]


def found(name):
    module, _, path = name.partition(":")
    value = importlib.import_module(module)
    if path.startswith("DataContext."):
        value, path = value.DataContext.get_current(), path.removeprefix("DataContext.")
    return reduce(getattr, path.split("."), value)


@pytest.mark.parametrize("name", CALLS)
def test_what_is_called_takes_what_it_is_given(name):
    signature = inspect.signature(found(name))
    assert CALLS[name] <= set(signature.parameters)
    required = {
        key
        for key, parameter in signature.parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }
    # start_raylet's arguments are handed on as they come, whatever they are.
    assert required - {"self"} <= CALLS[name] or name.endswith("start_raylet")


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_what_is_set_or_read_is_there(name):
    found(name)


def test_a_node_lists_its_processes():
    from ray._private.node import Node

    assert "self.all_processes" in inspect.getsource(Node.__init__)


def test_a_recorder_has_every_method_of_a_callback():
    from ray.data._internal.execution.execution_callback import ExecutionCallback

    for name, method in inspect.getmembers(ExecutionCallback, inspect.isfunction):
        mine = getattr(private._ExecutionRecorder, name)
        assert (
            inspect.signature(mine).parameters.keys() == inspect.signature(method).parameters.keys()
        )


def test_the_loopback_switch_is_read_when_an_address_is_asked_for():
    before = private.set_loopback_only(True)
    try:
        if not ray.is_initialized():
            assert private.node_ip_address() == "127.0.0.1"
    finally:
        assert private.set_loopback_only(before)


def test_warnings_of_a_start_come_from_the_loggers_that_are_silenced():
    from ray._private.authentication import authentication_token_setup

    private.silence_start()
    assert not logging.getLogger("ray._private.node").isEnabledFor(logging.WARNING)
    assert not authentication_token_setup.logger.isEnabledFor(logging.WARNING)


@pytest.mark.ray
def test_a_cluster_of_our_own_has_no_autoscaler(ray_executor):
    ray_executor.resources()
    assert not private.has_autoscaler()


def test_what_workers_import_ahead_is_there():
    private.import_data_operators()


def test_the_trainer_leaves_ctrl_c_alone():
    from ray.train.torch import TorchTrainer

    source = inspect.getsource(inspect.getmodule(TorchTrainer.__base__))
    assert "self._register_sigint_handler(" in source
    assert issubclass(private.trainer_class(), TorchTrainer)


def test_no_other_file_names_a_private_module_of_ray():
    words = ("ray._private", "ray._raylet", "ray.data._internal", "ray.autoscaler._private")
    named = [
        file.name
        for file in (ROOT / "artcluster").rglob("*.py")
        if file.name != "private.py" and any(word in file.read_text() for word in words)
    ]
    assert named == []
