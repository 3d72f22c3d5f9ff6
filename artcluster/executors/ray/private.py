"""Every private or undocumented name of Ray that this project touches, a function for each use.

Ray gives no promise about these names, so pyproject.toml leaves out the next minor version and
tests/executors/ray/test_private.py fails when one of them has moved or changed. All were seen in
Ray 2.60; an older first version is stated where one is known. Nothing of Ray is imported before a
function is called.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from ray.data import DataContext, Dataset
    from ray.train.torch import TorchTrainer

_STATUS_TIMEOUT_S = 10


def set_loopback_only(wanted: bool) -> bool:
    """Set whether Ray keeps 127.0.0.1 as it is; return what it did before.

    By default Ray on Linux replaces the loopback address by one that other machines reach, in
    `ray.init` and in what the head's processes listen on. The public switch is an environment
    variable that is read once, when ray is imported.
    """
    from ray._private import ray_constants

    before = not ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = not wanted
    return before


def node_ip_address() -> str:
    """Return the address at which Ray will look for a head that was given as 127.0.0.1.

    `ray.util.get_node_ip_address` is public, and joins a cluster first.
    """
    from ray._private import services

    ask: Callable[[], str] = services.get_node_ip_address
    return ask()


def forbid_reconnect() -> None:
    """Keep calls of Ray after `ray.shutdown` from joining a cluster again.

    The public switch, RAY_ENABLE_AUTO_CONNECT, is read when ray is imported, when it must still be
    on.
    """
    from ray._private import auto_init_hook

    auto_init_hook.enable_auto_connect = False


def silence_start() -> None:
    """Hide Ray's warnings of a slow start and of the token authentication that it turns on.

    `ray.init(logging_level=...)` sets the level only once the cluster is there.
    """
    for name in ("ray._private", "ray._private.authentication"):
        logging.getLogger(name).setLevel(logging.ERROR)


def require_token(make_token: Callable[[], None]) -> None:
    """Turn token authentication on for a head of our own, unless RAY_AUTH_MODE says otherwise.

    `ray.init` does this itself and leaves the token file readable as the umask has it; a head that
    is started without `ray.init` has no public way to.

    Args:
        make_token: Called where a token is needed; makes one unless there is one.

    Raises:
        RuntimeError: A token is needed, and there is none.
    """
    from ray._private.authentication import authentication_token_setup

    if authentication_token_setup.enable_token_auth_by_default():
        make_token()
    authentication_token_setup.ensure_token_if_auth_enabled(None, create_token_if_missing=False)


def start_head(folder: Path, cpus: int | None, gpus: int | None, *, dashboard: bool) -> Any:
    """Start a head's processes on the loopback interface and return Ray's `Node` of them.

    `ray.init()`, the public way, also starts a dashboard, an autoscaler, a log forwarder and the
    dashboard's agent, and waits for them; none of them can be left out there.

    Args:
        folder: For Ray's sockets, logs and object store's spill.
        cpus: Logical CPUs; None for those of the machine.
        gpus: Logical GPUs; None for those of the machine.
        dashboard: Start the dashboard and its agent all the same.

    Raises:
        Exception: As Ray raised it; what had started has been ended.
    """
    from ray._private import utils
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    class LeanNode(Node):
        def __init__(self, settings: RayParams) -> None:
            try:
                super().__init__(settings, head=True, shutdown_at_exit=False, spawn_reaper=True)
            except BaseException:
                self.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)
                raise

        def start_api_server(
            self, *, include_dashboard: bool | None, raise_on_failure: bool
        ) -> None:
            if include_dashboard:
                super().start_api_server(
                    include_dashboard=include_dashboard, raise_on_failure=raise_on_failure
                )
            else:
                self._webui_url = None

        def start_raylet(self, *arguments: Any, **named: Any) -> None:
            # Ray starts the small agent where the dashboard's packages are not installed.
            missing = utils.get_dashboard_dependency_error
            if not dashboard:
                utils.get_dashboard_dependency_error = lambda: ImportError("not wanted")
            try:
                super().start_raylet(*arguments, **named)
            finally:
                utils.get_dashboard_dependency_error = missing

    settings: dict[str, Any] = {
        "node_ip_address": "127.0.0.1",
        "num_cpus": cpus,
        "num_gpus": gpus,
        "temp_dir": str(folder),
        "include_dashboard": dashboard,
        "dashboard_host": "127.0.0.1",
        "no_monitor": True,
        "include_log_monitor": False,
    }
    return LeanNode(RayParams(**settings))


def head_cpus(node: Any) -> int:
    """Return the logical CPUs of a head; `ray.nodes()` knows them only once the head is joined."""
    return int(node.get_resource_and_label_spec().num_cpus)


def dead_processes(node: Any) -> list[tuple[str, int]]:
    """Return kind and exit code of a head's processes that ended unasked."""
    return [(kind, process.returncode) for kind, process in node.dead_processes()]


def stop_head(node: Any) -> None:
    """End the processes of a head and all below them.

    `ray.shutdown` ends only what `ray.init` started. Without a raylet its workers would end by
    themselves within a second, Ray's agents within half a minute.
    """
    # Ray's own copy, found once ray is imported.
    import psutil

    below: list[Any] = []
    with contextlib.suppress(psutil.Error):
        for raylet in node.all_processes.get("raylet", []):
            below += psutil.Process(raylet.process.pid).children(recursive=True)
    node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)
    for process in below:
        with contextlib.suppress(psutil.Error):
            process.kill()


def has_autoscaler() -> bool:
    """Return whether an autoscaler looks after the cluster that this process has joined.

    No public call says so. Ray's second autoscaler numbers the states that it reports, from 1;
    without one the number stays 0. The first autoscaler leaves no sign that a cluster without an
    autoscaler would not leave too.
    """
    import ray
    from ray import _raylet
    from ray.core.generated import autoscaler_pb2
    from ray.exceptions import RpcError

    untyped: Any = (_raylet, autoscaler_pb2)
    raylet, messages = untyped
    reply = messages.GetClusterStatusReply()
    client = raylet.GcsClient(ray.get_runtime_context().gcs_address)
    try:
        reply.ParseFromString(client.get_cluster_status(timeout_s=_STATUS_TIMEOUT_S))
    except RpcError:
        return False
    return bool(reply.autoscaling_state.autoscaler_state_version > 0)


def import_data_operators() -> None:
    """Import what a task of Ray Data needs, in a worker process that is idle.

    `import ray.data` leaves this out until the first task.
    """
    import ray.data._internal.execution.operators.map_operator  # noqa: F401


def start_data_actors() -> None:
    """Start the actors that Ray Data otherwise starts with its first pipeline, a second each."""
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


class _ExecutionRecorder:
    """Remembers what executes a pipeline.

    Has the methods of Ray Data's `ExecutionCallback` and is no subclass of it, for a context is
    pickled with its callbacks' classes: this one must lie at the top of a module that is imported
    without Ray.
    """

    executions: list[Any] = []  # noqa: RUF012

    def before_execution_starts(self, executor: Any) -> None:
        self.executions.append(executor)

    def on_execution_step(self, executor: Any) -> None:
        pass

    def after_execution_succeeds(self, executor: Any) -> None:
        pass

    def after_execution_fails(self, executor: Any, error: Exception) -> None:
        pass


def record_executions(context: "DataContext") -> None:
    """Remember what executes the pipelines of a context, for `stop_executions`.

    A pipeline that stands still can be stopped by no public call: the thread that iterates over it
    waits inside Ray Data.
    """
    recorder: Any = _ExecutionRecorder
    context.custom_execution_callback_classes = [
        *context.custom_execution_callback_classes,
        recorder,
    ]


def stop_executions() -> None:
    """Stop the recorded pipelines, whatever state they are in, and forget them."""
    while _ExecutionRecorder.executions:
        _ExecutionRecorder.executions.pop().shutdown(force=True)


def iterate_blocks(dataset: "Dataset") -> "Iterator[pa.Table]":
    """Yield a pipeline's blocks as they finish, one at a time.

    `iter_batches`, the public way, holds several blocks back to cut them into batches of equal
    size, which a stream of one item a block must not wait for.
    """
    import ray

    for bundle in dataset.iter_internal_ref_bundles():
        for entry in bundle.blocks:
            yield ray.get(entry.ref)


def trainer_class() -> "type[TorchTrainer]":
    """Return Ray Train's trainer for torch, which leaves Ctrl-C to the command line.

    Ray Train takes SIGINT for itself, for good: it exits the process without a word, as if all had
    gone well, and in training loops after the first one it does not even end them. No setting
    turns that off.
    """
    from ray.train.torch import TorchTrainer

    class Trainer(TorchTrainer):
        def _register_sigint_handler(self, controller: Any) -> None:
            pass

    return Trainer


def check_head(address: str, timeout_s: float = 10.0) -> None:
    """Check that a Ray head answers at an address, and takes this process's token.

    `ray.init` tries for minutes where something else listens there, and tells a wrong token by
    "Failed to connect". TLS is left to it.

    Raises:
        ConnectionError: What listens there is no Ray head, or it asks for another token.
    """
    import grpc
    from ray import _raylet

    if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
        return
    untyped: Any = (grpc, _raylet)
    rpc, raylet = untyped
    tokens = raylet.AuthenticationTokenLoader.instance()
    is_used = os.environ.get("RAY_AUTH_MODE", "token").lower() == "token"
    header = tokens.get_token_for_http_header(ignore_auth_mode=is_used)
    channel = rpc.insecure_channel(address)
    ask = channel.unary_unary("/ray.rpc.NodeInfoGcsService/GetClusterId")
    try:
        rpc.channel_ready_future(channel).result(timeout=timeout_s)
        ask(b"", timeout=timeout_s, metadata=list(header.items()))
    except rpc.FutureTimeoutError:
        raise ConnectionError(
            "What listens there is no Ray head. The port is the head's own, 6379 unless it was "
            "set, not the dashboard's (8265)."
        ) from None
    except rpc.RpcError as error:
        if error.code() == rpc.StatusCode.UNAUTHENTICATED:
            raise ConnectionError(f"Authentication failed: {error.details()}.") from None
    finally:
        channel.close()
