"""The killable process that decodes: started, fed one picture at a time, watched and replaced."""

import resource
import select
import signal
import socket
import time
from pathlib import Path

from artcluster.images.rejects import ImageInfo
from artcluster.images.sandbox.fork_server import ForkServer
from artcluster.images.sandbox.messages import (
    ANSWER,
    REQUEST,
    Settings,
    Task,
    receive_exactly,
    unpack_info,
)

_WATCH_INTERVAL_S = 0.05
_TRANSFER_TIMEOUT_S = 60.0


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
        self._server = ForkServer(settings)
        self._pid = 0
        self._connection: socket.socket | None = None

    @property
    def pid(self) -> int:
        """Process id of the decoding process; 0 while there is none."""
        return self._pid

    @property
    def zygote_pid(self) -> int:
        """Process id of the zygote."""
        return self._server.pid

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
        self._disconnect()
        return self._server.reap()

    def close(self) -> None:
        """End the child; its zygote may serve the next."""
        self._disconnect()
        self._server.leave()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._pid = None, 0

    def _fork(self) -> socket.socket:
        self._pid, connection = self._server.fork()
        connection.settimeout(_TRANSFER_TIMEOUT_S)
        self._connection = connection
        self._resident_at_start = _resident_bytes(self._pid)
        return connection

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
