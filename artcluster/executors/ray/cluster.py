"""The connection to a Ray cluster: one that is there, or one started in this process's name.

With RAY_ADDRESS set (inside a submitted job it is) the executor joins that cluster; else it starts
one on the loopback interface, with a folder of its own, and ends it again.
"""

import contextlib
import ipaddress
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from artcluster.errors import ArtclusterError, UsageError
from artcluster.executors.ray import private
from artcluster.executors.ray.signals import preserve_signal_handlers

if TYPE_CHECKING:  # importing ray takes seconds, which `RayCluster` spends in the background
    from artcluster.executors.ray.head import Head

_log = logging.getLogger(__name__)

_WATCH_S = 0.5

_TIMEOUT_S = 10.0


def require_reachable(address: str) -> None:
    """Check that an address of the form host:port takes connections.

    A head that listens on the loopback interface alone is joined there: else Ray turns 127.0.0.1
    into an address that other machines reach, at which such a head does not answer.

    Raises:
        OSError: Nobody answers.
    """
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit():
        return
    host = host.strip("[]")
    socket.create_connection((host, int(port)), timeout=_TIMEOUT_S).close()
    if not _is_loopback(host):
        return
    try:
        socket.create_connection((private.node_ip_address(), int(port)), _TIMEOUT_S).close()
    except OSError:
        private.set_loopback_only(True)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class RayCluster:
    """A cluster that is being joined or started in the background.

    Args:
        address: The cluster to join; None for RAY_ADDRESS, and without that for one of our own.
        cpus: Logical CPUs of one of our own; None for those of the machine.
        gpus: Logical GPUs of one of our own; None for those of the machine.
        dashboard: Serve Ray's dashboard on the loopback interface, on one of our own.
        prepare: Called in the background as soon as the cluster is there.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        cpus: int | None = None,
        gpus: int | None = None,
        dashboard: bool = False,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self.address = address or os.environ.get("RAY_ADDRESS") or None
        if self.address and (cpus is not None or gpus is not None):
            raise UsageError(
                f"The cluster at {self.address!r} has the CPUs and GPUs it has: leave their "
                "numbers out, or unset RAY_ADDRESS to start a cluster here."
            )
        self._cpus = cpus
        self._gpus = gpus
        self._dashboard = dashboard
        self._prepare = prepare
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
            raise explain(self._error, self.address) from self._error

    @property
    def joined(self) -> bool:
        """Whether the cluster is there, and not left yet."""
        return self._ready.is_set() and self._error is None and not self._closing.is_set()

    def close(self) -> None:
        """Leave the cluster; one of our own ends."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout=60)

    def _watch(self, head: "Head | None") -> None:
        """Wait until the cluster is left.

        Where its processes end before, Ray may end this one, and says nothing of it.
        """
        while head is not None and not self._closing.wait(_WATCH_S):
            if dead := head.dead():
                _log.error(
                    "Ray's processes on this machine ended unasked: %s; -9 is mostly a want of "
                    "memory. What was committed is kept: start the same command again.",
                    dead,
                )
                break
        self._closing.wait()

    def _run(self) -> None:
        head: Head | None = None
        joined_before = True
        try:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            # Ray's C++ writes warnings about its own inner workings to the job's log.
            os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
            import ray

            from artcluster.executors.ray import head as own_head

            private.silence_start()
            joined_before = ray.is_initialized()
            if not joined_before:
                if self.address is None:
                    head = own_head.Head(self._cpus, self._gpus, dashboard=self._dashboard)
                else:
                    require_reachable(self.address)
                    if "://" not in self.address and self.address != "auto":
                        private.check_head(self.address)
                address = self.address if head is None else head.address
                with preserve_signal_handlers(signal.SIGTERM):
                    ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
            _quieten()
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()
        if self._error is None:
            with contextlib.suppress(Exception):
                self._prepare()
                if head is not None:
                    head.warm_up()
        self._watch(head)
        if not joined_before:
            # On a busy machine threads of Ray Data outlive their pipeline: their next call would
            # join the cluster again, and keep the process from ending.
            private.forbid_reconnect()
            with preserve_signal_handlers(signal.SIGTERM):
                ray.shutdown()
        if head is not None:
            head.stop()


def _quieten() -> None:
    """Keep Ray's own chatter out of the job's log; its files below the session folder hold it."""
    import ray.data as _needed_soon  # noqa: F401  sets its loggers up when it is imported

    for name in ("ray", "ray.data", "ray.train", "ray.tune"):
        logging.getLogger(name).setLevel(logging.ERROR)


def explain(error: BaseException, address: str | None) -> ArtclusterError:
    """Return what a user can do about a cluster that cannot be had."""
    text = " ".join(str(error).split())[:500] or type(error).__name__
    if isinstance(error, ImportError):
        return ArtclusterError(f"Ray cannot be imported ({text}). Install artcluster again.")
    if address is None:
        return ArtclusterError(
            f"A local Ray cluster did not start: {text} Look at free memory, at /dev/shm and at "
            "other programs that keep the CPUs busy, then try again."
        )
    if "ersion mismatch" in text:
        import ray

        return ArtclusterError(
            f"The cluster at {address!r} runs another version of Ray or Python than this process "
            f"(Ray {ray.__version__} here): {text} Install the cluster's versions here."
        )
    if "uthenticat" in text or "auth token" in text:
        return ArtclusterError(
            f"The cluster at {address!r} asks for another token: {text} Set RAY_AUTH_MODE=token "
            "and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the cluster's."
        )
    return ArtclusterError(
        f"No Ray cluster answers at {address!r}: {text} Check RAY_ADDRESS and that the head runs, "
        "or unset RAY_ADDRESS to work on this machine alone."
    )
