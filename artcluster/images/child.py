"""The killable process that decodes: started, fed one picture at a time, watched and replaced."""

import contextlib
import json
import os
import pickle
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from artcluster.errors import ArtclusterError
from artcluster.images.info import ImageInfo
from artcluster.images.messages import (
    ANSWER,
    FORK,
    LENGTH,
    NUMBER,
    READY,
    REAP,
    REQUEST,
    Settings,
    Task,
    receive_exactly,
    unpack_info,
)

_START_TIMEOUT_S = 300.0
_WATCH_INTERVAL_S = 0.05
_TRANSFER_TIMEOUT_S = 60.0
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_THREAD_LIMIT"), "1"
)
_BOOT = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from artcluster.images.zygote import main; main(int(sys.argv[2]), int(sys.argv[3]))"
)


class ChildDied(Exception):
    """The child was killed, or died, over a picture.

    Attributes:
        reason: The reject's code.
        detail: What happened to it.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Child:
    """One decoding process at a time, behind a zygote that replaces it within milliseconds.

    Args:
        settings: What the child is told at its start.
        timeout_s: Seconds a picture may take, less those the child waited for a processor.
    """

    def __init__(self, settings: Settings, timeout_s: float) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._ready = False
        self._pid = 0
        self._connection: socket.socket | None = None
        self._start_zygote()

    @property
    def pid(self) -> int:
        """Process id of the decoding process; 0 while there is none."""
        return self._pid

    @property
    def zygote_pid(self) -> int:
        """Process id of the zygote."""
        return self._zygote.pid

    def ask(self, task: Task, blob: bytes, target: memoryview | None) -> ImageInfo:
        """Have one picture decoded or probed.

        Args:
            task: What to do.
            blob: The picture's bytes.
            target: Where its pixels go.

        Raises:
            ChildDied: It took too long or too much, or it crashed. The next call has a new child.
        """
        if len(blob) > self._settings.memory_bytes:
            raise ChildDied("out-of-memory", f"the file alone has {len(blob)} bytes")
        connection = self._connection or self._fork()
        try:
            connection.sendall(REQUEST.pack(task, len(blob)))
            connection.sendall(blob)
            self._watch(connection)
            header = bytearray(ANSWER.size)
            receive_exactly(connection, memoryview(header))
            info_length, pixels_length = ANSWER.unpack(header)
            packed = bytearray(info_length)
            receive_exactly(connection, memoryview(packed))
            if pixels_length:
                if target is None or pixels_length != len(target):
                    expected = 0 if target is None else len(target)
                    raise ValueError(
                        f"decode_one must return an array of {expected} bytes (height × width × 3 "
                        f"of uint8); it returned {pixels_length} bytes"
                    )
                receive_exactly(connection, target)
            return unpack_info(bytes(packed))
        except (EOFError, ConnectionError) as error:
            raise _death(self.kill()) from error
        except TimeoutError as error:
            self.kill()
            raise ChildDied("timeout", f"stood still for {_TRANSFER_TIMEOUT_S:g} s") from error
        except BaseException:
            self.kill()
            raise

    def kill(self) -> int:
        """Kill the child and return the number of the signal that ended it, 0 for none."""
        if self._connection is None:
            return 0
        self._connection.close()
        self._connection, self._pid = None, 0
        with contextlib.suppress(OSError, EOFError):
            return self._tell_zygote(REAP)
        self._stop_zygote()
        self._start_zygote()
        return int(signal.SIGKILL)

    def close(self) -> None:
        """End child and zygote."""
        if self._connection is not None:
            self._connection.close()
            self._connection, self._pid = None, 0
        self._stop_zygote()

    def _start_zygote(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._zygote = subprocess.Popen(
                [
                    *(
                        sys.executable,
                        "-c",
                        _BOOT,
                        json.dumps([entry for entry in sys.path if isinstance(entry, str)]),
                    ),
                    *(str(theirs.fileno()), str(os.getpid())),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **_ONE_THREAD},
            )
        ours.settimeout(_START_TIMEOUT_S)
        packed = pickle.dumps(self._settings)
        ours.sendall(LENGTH.pack(len(packed)) + packed)
        self._control, self._ready = ours, False

    def _stop_zygote(self) -> None:
        self._control.close()
        if not self._ready:
            self._zygote.kill()
        try:
            self._zygote.wait(_TRANSFER_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._zygote.kill()
            self._zygote.wait()

    def _fork(self) -> socket.socket:
        """Have the zygote fork a child; a zygote that was killed meanwhile is started again."""
        self._await_zygote()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._pid = self._tell_zygote(FORK, theirs.fileno())
            except (OSError, EOFError):
                self._stop_zygote()
                self._start_zygote()
                self._await_zygote()
                self._pid = self._tell_zygote(FORK, theirs.fileno())
        ours.settimeout(_TRANSFER_TIMEOUT_S)
        self._connection = ours
        self._resident_at_start = _resident_bytes(self._pid)
        return ours

    def _await_zygote(self) -> None:
        if self._ready:
            return
        try:
            said = self._control.recv(65536)
        except OSError as error:
            said = str(error).encode()
        if said != READY:
            self._stop_zygote()
            raise ArtclusterError(
                "The process that decodes images did not start: expected it to be ready within "
                f"{_START_TIMEOUT_S:.0f} s, got {said.decode(errors='replace').strip()!r}. Check "
                f"that {sys.executable} can import torch, PIL, simplejpeg and artcluster."
            )
        self._ready = True

    def _tell_zygote(self, request: bytes, fd: int | None = None) -> int:
        socket.send_fds(self._control, [request], [] if fd is None else [fd])
        answer = bytearray(NUMBER.size)
        receive_exactly(self._control, memoryview(answer))
        number: int = NUMBER.unpack(answer)[0]
        return number

    def _watch(self, connection: socket.socket) -> None:
        """Wait for an answer, and hold the child to its limits meanwhile."""
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        if poll.poll(_WATCH_INTERVAL_S * 1000):
            return
        started = time.monotonic() - _WATCH_INTERVAL_S
        waited_before = _waited_for_processor_s(self._pid)
        while not poll.poll(_WATCH_INTERVAL_S * 1000):
            waited = _waited_for_processor_s(self._pid) - waited_before
            if time.monotonic() - started - waited > self._timeout_s:
                self.kill()
                raise ChildDied("timeout", f"not decoded within {self._timeout_s:g} s")
            taken = _resident_bytes(self._pid) - self._resident_at_start
            if taken > self._settings.memory_bytes:
                self.kill()
                raise ChildDied("out-of-memory", f"took {taken >> 20} MiB")


def _death(number: int) -> ChildDied:
    """Tell what the signal that ended a child means for its picture."""
    if number == signal.SIGKILL:
        return ChildDied(
            "out-of-memory", "the decoder was killed from outside: the machine ran out of memory?"
        )
    name = signal.Signals(number).name if number else "a call of exit"
    return ChildDied("decoder-crash", f"the decoder died of {name}")


def _waited_for_processor_s(pid: int) -> float:
    """Seconds a process was ready but had no processor: a busy machine is no picture's fault."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0
