"""The parent's hold on a zygote: starts it, has it fork children, starts it again if it died.

A zygote takes seconds to start, so that one that is no longer needed is left for the next to use.
"""

import atexit
import json
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping

from artcluster.errors import ArtclusterError
from artcluster.images.sandbox.messages import (
    FORK,
    LENGTH,
    NUMBER,
    READY,
    REAP,
    SETTLE,
    Settings,
    receive_exactly,
)

_START_TIMEOUT_S = 300.0
_END_TIMEOUT_S = 60.0
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_THREAD_LIMIT"), "1"
)
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|CONNECTION_STRING|SIGNATURE")
"""Variables that a process which handles hostile bytes has no use for."""

_BOOT = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from artcluster.images.sandbox.zygote import main; main(int(sys.argv[2]), int(sys.argv[3]))"
)


class ForkServer:
    """One zygote, a plain subprocess: it needs no `__main__` guard and inherits no threads.

    Args:
        settings: What the zygote and its children are told.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        idle = _take_idle()
        self._is_used = idle is not None
        if idle is None:
            self._start()
            return
        self._process, self._control = idle
        try:
            self._settle()
        except OSError:
            self._restart()

    @property
    def pid(self) -> int:
        """Process id of the zygote."""
        return self._process.pid

    def fork(self) -> tuple[int, socket.socket]:
        """Have a child forked; return its process id and a connection to it.

        Raises:
            ArtclusterError: The zygote does not start.
        """
        self._await_ready()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                pid = self._tell(FORK, theirs.fileno())
            except (OSError, EOFError):
                self._restart()
                self._await_ready()
                pid = self._tell(FORK, theirs.fileno())
        return pid, ours

    def reap(self) -> int:
        """Kill the child if it lives; return the number of the signal that ended it, 0 for none."""
        try:
            return self._tell(REAP)
        except (OSError, EOFError):
            self._restart()
            return int(signal.SIGKILL)

    def leave(self) -> None:
        """Kill the child, and keep the zygote for the next server unless one is kept already."""
        if self._ready:
            self.reap()
        if not (self._ready and _keep_idle(self._process, self._control)):
            self.close()

    def close(self) -> None:
        """End the zygote, and with it its child."""
        if not self._ready:
            self._process.kill()
        _end(self._process, self._control)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        path = [entry for entry in sys.path if isinstance(entry, str)]
        with theirs:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-c", _BOOT, json.dumps(path)),
                    *(str(theirs.fileno()), str(os.getpid())),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=_without_secrets(os.environ) | _ONE_THREAD,
            )
        ours.settimeout(_START_TIMEOUT_S)
        self._control, self._is_used = ours, False
        self._settle()

    def _settle(self) -> None:
        self._ready = False
        packed = pickle.dumps(self._settings)
        self._control.sendall(SETTLE + LENGTH.pack(len(packed)) + packed)

    def _restart(self) -> None:
        self.close()
        self._start()

    def _await_ready(self) -> None:
        if self._ready:
            return
        try:
            said = self._control.recv(65536)
        except OSError as error:
            said = str(error).encode()
        if said != READY and self._is_used:
            self._restart()
            self._await_ready()
            return
        if said != READY:
            self._restart()
            raise ArtclusterError(
                "The process that decodes images did not start: expected it to be ready within "
                f"{_START_TIMEOUT_S:.0f} s, got {said.decode(errors='replace').strip()!r}. Check "
                f"that {sys.executable} can import torch, PIL, simplejpeg and artcluster."
            )
        self._ready = True

    def _tell(self, request: bytes, fd: int | None = None) -> int:
        socket.send_fds(self._control, [request], [] if fd is None else [fd])
        answer = bytearray(NUMBER.size)
        receive_exactly(self._control, memoryview(answer))
        number: int = NUMBER.unpack(answer)[0]
        return number


Zygote = tuple[subprocess.Popen[bytes], socket.socket]
_idle: list[Zygote] = []
"""One at most: what is opened one after the other shares it, and no memory is held for more."""


_idle_lock = threading.Lock()

os.register_at_fork(after_in_child=_idle.clear)


def _take_idle() -> Zygote | None:
    with _idle_lock:
        return _idle.pop() if _idle else None


def _keep_idle(process: subprocess.Popen[bytes], control: socket.socket) -> bool:
    with _idle_lock:
        if not _idle:
            _idle.append((process, control))
            return True
    return False


@atexit.register
def end_idle() -> None:
    """End the zygote that waits for its next use, if there is one."""
    idle = _take_idle()
    if idle is not None:
        _end(*idle)


def _end(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    control.close()
    try:
        process.wait(_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not _SECRET.search(name.upper())}
