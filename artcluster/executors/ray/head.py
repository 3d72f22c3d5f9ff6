"""A Ray head for this process alone, on the loopback interface, without what it does not need.

On two cores Ray's own `ray.init()` takes more than twice as long until the first task runs, and on
busy ones its time limit of 15 seconds passes.
"""

import contextlib
import logging
import os
import secrets
import shutil
import tempfile
from pathlib import Path

import ray

from artcluster.executors.ray import private

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
        self._was_loopback_only = private.set_loopback_only(True)
        private.silence_start()
        private.require_token(make_token)
        for attempt in range(1, _ATTEMPTS + 1):
            self.folder = _folder()
            try:
                self._node = private.start_head(self.folder, cpus, gpus, dashboard=dashboard)
                break
            except Exception as error:
                shutil.rmtree(self.folder, ignore_errors=True)
                if attempt == _ATTEMPTS:
                    raise
                _log.warning("Ray did not start (%s); trying again.", str(error).split(".")[0])
        self.address: str = self._node.gcs_address
        self.cpus = private.head_cpus(self._node)

    def dead(self) -> str:
        """Name its processes that ended unasked, with their exit codes; '' for none."""
        return ", ".join(
            f"{kind} (exit code {code})" for kind, code in private.dead_processes(self._node)
        )

    def warm_up(self) -> None:
        """Begin to start worker processes and Ray Data's own actors; waits for none of them."""
        task = ray.remote(num_cpus=1, max_retries=0)(_import_what_tasks_need)
        for _ in range(self.cpus):
            task.remote()
        with contextlib.suppress(Exception):
            private.start_data_actors()

    def stop(self) -> None:
        """End its processes and remove its folder."""
        private.set_loopback_only(self._was_loopback_only)
        private.stop_head(self._node)
        shutil.rmtree(self.folder, ignore_errors=True)


def _import_what_tasks_need() -> None:
    import artcluster.executors.ray.steps  # noqa: F401

    private.import_data_operators()


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
