"""The connection to a Ray cluster: one that is there, or one started in this process's name.

With RAY_ADDRESS set (inside a submitted job it is) the executor joins that cluster; else it starts
one on the loopback interface, with a folder of its own, and ends it again.
"""

import logging
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

from artcluster.errors import ArtclusterError, UsageError

_log = logging.getLogger(__name__)

_FOLDER = "artcluster-ray-"
_SHORT = "/tmp"
_LONGEST_FOLDER = 30
"""Ray puts sockets below its folder, and a socket's path may hold 107 bytes."""


class RayCluster:
    """A cluster that is being joined or started in the background.

    Args:
        address: The cluster to join; None for RAY_ADDRESS, and without that for one of our own.
        cpus: Logical CPUs of one of our own; None for those of the machine.
        gpus: Logical GPUs of one of our own; None for those of the machine.
        dashboard: Serve Ray's dashboard on the loopback interface, on one of our own.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        cpus: int | None = None,
        gpus: int | None = None,
        dashboard: bool = False,
    ) -> None:
        self.address = address or os.environ.get("RAY_ADDRESS") or None
        if self.address and (cpus is not None or gpus is not None):
            raise UsageError(
                f"The cluster at {self.address!r} has the CPUs and GPUs it has: leave their "
                "numbers out, or unset RAY_ADDRESS to start a cluster here."
            )
        self._settings = {"num_cpus": cpus, "num_gpus": gpus, "include_dashboard": dashboard}
        self._ready = threading.Event()
        self._closing = threading.Event()
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin in the background."""
        if self._thread is None:
            # Ray's processes end with the thread that started them, so it stays until the end.
            self._thread = threading.Thread(target=self._run, name="artcluster-ray", daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Return once the cluster is there.

        Raises:
            ArtclusterError: It cannot be reached or started; says why.
        """
        self.start()
        self._ready.wait()
        if self._error is not None:
            raise _explained(self._error, self.address) from self._error

    def close(self) -> None:
        """Leave the cluster; one of our own ends."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout=60)
            self._thread = None

    def _run(self) -> None:
        folder: Path | None = None
        joined_before = False
        try:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            import ray

            # Ray warns of the token authentication that it turns on.
            logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)
            joined_before = ray.is_initialized()
            if not joined_before:
                if self.address is None:
                    folder = _folder()
                self._init(folder)
            _quieten()
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()
        self._closing.wait()
        if not joined_before and self._error is None:
            import ray

            ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _init(self, folder: Path | None) -> None:
        import ray

        if folder is None:
            ray.init(self.address, log_to_driver=False, logging_level=logging.ERROR)
            return
        ray.init(
            "local",
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=str(folder),
            _node_ip_address="127.0.0.1",
            **self._settings,
        )


def _folder() -> Path:
    """Return a new folder for a cluster of our own, and remove those of processes long dead."""
    base = Path(tempfile.gettempdir())
    if len(str(base)) > _LONGEST_FOLDER:
        base = Path(_SHORT)
    for old in base.glob(f"{_FOLDER}*"):
        pid = old.name.removeprefix(_FOLDER).partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists() and Path("/proc/self").exists():
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-", dir=base))


def _quieten() -> None:
    """Keep Ray's own chatter out of the job's log; its files below the session folder hold it."""
    for name in ("ray", "ray.data", "ray.train", "ray.tune"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _explained(error: BaseException, address: str | None) -> ArtclusterError:
    """Return what a user can do about a cluster that cannot be had."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, ImportError):
        return ArtclusterError(f"Ray cannot be imported ({text}). Install artcluster again.")
    if address is None:
        return ArtclusterError(
            f"A local Ray cluster did not start: {text[:500]} Look at free memory, at /dev/shm and "
            "at other programs that keep the CPUs busy, then try again."
        )
    if "ersion mismatch" in text:
        import ray

        return ArtclusterError(
            f"The cluster at {address!r} runs another version of Ray or Python than this process "
            f"(Ray {ray.__version__} here): {text[:500]} Install the cluster's versions here."
        )
    if "oken" in text or "uthenticat" in text:
        return ArtclusterError(
            f"The cluster at {address!r} asks for another token: {text[:500]} Set RAY_AUTH_MODE="
            "token and RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH) to the cluster's."
        )
    return ArtclusterError(
        f"No Ray cluster answers at {address!r}: {text[:500]} Check RAY_ADDRESS and that the head "
        "runs, or unset RAY_ADDRESS to work on this machine alone."
    )
