"""A Ray head for this process alone, on the loopback interface, without what it does not need.

`ray.init()` also starts a dashboard, an autoscaler, a log forwarder and an agent that reports to
the dashboard, and waits for them: on two cores that more than doubles the time until the first task
runs, and on busy ones Ray's own time limit of 15 seconds passes. Ray's `Node` starts the rest.
"""

import contextlib
import logging
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any

import ray


def make_token() -> None:
    """Make `~/.ray/auth_token` for this user alone, unless there is a token already.

    Whoever holds the token may run code as this user.
    """
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return
    path = Path.home() / ".ray" / "auth_token"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # mkstemp's files are their owner's alone. A link, so that of two processes one wins.
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix="auth_token-")
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(temporary)
        finally:
            Path(temporary).unlink()
    if path.stat().st_mode & 0o077:
        with contextlib.suppress(PermissionError):  # Somebody else's, who lets us read it.
            path.chmod(0o600)


def warm_up(cpus: int) -> None:
    """Begin to start worker processes and Ray Data's own actors; waits for none of them."""
    task = ray.remote(num_cpus=1, max_retries=0)(_import_what_tasks_need)
    for _ in range(cpus):
        task.remote()
    with contextlib.suppress(Exception):
        _start_actors_of_ray_data()


def _import_what_tasks_need() -> None:
    import ray.data._internal.execution.operators.map_operator  # noqa: F401

    import artcluster.executors.ray.steps  # noqa: F401


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


_log = logging.getLogger(__name__)


_FOLDER = "artcluster-ray-"

_LONGEST_FOLDER = 30

"""Ray puts sockets below its folder, and a socket's path may hold 107 bytes."""

_ATTEMPTS = 3


class Head:
    """A running head; its processes end with the thread that started it.

    Args:
        cpus: Logical CPUs; None for those of the machine.
        gpus: Logical GPUs; None for those of the machine.
        dashboard: Serve Ray's dashboard too.

    Raises:
        Exception: As Ray raised it, at the third attempt: on a busy machine Ray gives up a start
            after 15 seconds.
    """

    def __init__(self, cpus: int | None, gpus: int | None, *, dashboard: bool) -> None:
        from ray._private import ray_constants
        from ray._private.authentication import authentication_token_setup as authentication

        # Whether Ray turns 127.0.0.1 into an address that other machines reach.
        self._was_open = ray_constants.ENABLE_RAY_CLUSTER
        ray_constants.ENABLE_RAY_CLUSTER = False
        # Ray reports a slow start line by line, and warns of the token it turns on.
        logging.getLogger("ray._private").setLevel(logging.ERROR)
        if authentication.enable_token_auth_by_default():
            make_token()
        authentication.ensure_token_if_auth_enabled(None, create_token_if_missing=False)
        for attempt in range(1, _ATTEMPTS + 1):
            self.folder = _folder()
            try:
                self._node = _node(self.folder, cpus, gpus, dashboard=dashboard)
                break
            except Exception as error:
                shutil.rmtree(self.folder, ignore_errors=True)
                if attempt == _ATTEMPTS:
                    raise
                _log.warning("Ray did not start (%s); trying again.", str(error).split(".")[0])
        self.address: str = self._node.gcs_address
        self.cpus = int(self._node.get_resource_and_label_spec().num_cpus)

    def dead(self) -> str:
        """Name its processes that ended unasked, with their exit codes; '' for none."""
        return ", ".join(
            f"{kind} (exit code {process.returncode})"
            for kind, process in self._node.dead_processes()
        )

    def stop(self) -> None:
        """End its processes and remove its folder."""
        from ray._private import ray_constants

        ray_constants.ENABLE_RAY_CLUSTER = self._was_open
        left = self._below_raylet()
        self._node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)
        # They would notice by themselves, workers in a second, Ray's agents in half a minute.
        for process in left:
            with contextlib.suppress(Exception):
                process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _below_raylet(self) -> list[Any]:
        """Return the workers and agents of the head."""
        # Ray's own copy, found once ray is imported.
        import psutil

        raylets = self._node.all_processes.get("raylet", [])
        with contextlib.suppress(psutil.Error):
            return [
                process
                for raylet in raylets
                for process in psutil.Process(raylet.process.pid).children(recursive=True)
            ]
        return []


def _node(folder: Path, cpus: int | None, gpus: int | None, *, dashboard: bool) -> Any:
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


def _folder() -> Path:
    """Return a new folder, and remove those of processes long dead."""
    base = Path(tempfile.gettempdir())
    if len(str(base)) > _LONGEST_FOLDER:
        base = Path("/tmp")
    for old in base.glob(f"{_FOLDER}*"):
        pid = old.name.removeprefix(_FOLDER).partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists() and Path("/proc/self").exists():
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-", dir=base))
