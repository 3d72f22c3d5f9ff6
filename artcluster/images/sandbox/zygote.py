"""The process that has everything imported and forks the decoding child, again when it was killed.

It runs one thread and touches no picture, so that a fork is safe and takes milliseconds where a
new interpreter with torch takes seconds. Its parent, which owns it, talks to it over one socket:

- `SETTLE` with settings: import what a child with these needs; answers `READY`, or why it cannot.
- `FORK` with a socket attached: fork a child that serves that socket; answers with its process id.
- `REAP`: kill the child if it still lives; answers with the number of the signal that ended it.

It ends, and its child with it, when the socket closes: when the parent closes it or dies.
"""

import contextlib
import ctypes
import io
import os
import pickle
import resource
import select
import signal
import socket
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from artcluster.images.decode import decode_image
from artcluster.images.identify import probe_image
from artcluster.images.policy import PixelPolicy
from artcluster.images.rejects import ImageInfo, reject_of
from artcluster.images.sandbox.messages import (
    ANSWER,
    FORK,
    LENGTH,
    NUMBER,
    READY,
    REAP,
    REQUEST,
    SETTLE,
    Settings,
    Task,
    deny_what_no_decoder_needs,
    pack_info,
    receive_exactly,
)

DecodeOne = Callable[[bytes, PixelPolicy, tuple[int, int]], tuple["np.ndarray | None", ImageInfo]]
"""A function like `decode_image`."""


def make_server(settings: Settings) -> Callable[[socket.socket], None]:
    """Load what decoding needs, once for all children, and return the function a child runs."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    Image.init()
    decode_one: DecodeOne = decode_image
    if settings.decode_one is not None:
        decode_one = pickle.loads(settings.decode_one)
    _warm_up(settings)

    def serve(connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            while len(header := stream.read(REQUEST.size)) == REQUEST.size:
                task, length = REQUEST.unpack(header)
                blob = stream.read(length)
                pixels, info = _answer(task, blob, decode_one, settings)
                packed = pack_info(info)
                body = b"" if pixels is None else pixels.data.cast("B")
                connection.sendall(ANSWER.pack(len(packed), len(body)) + packed)
                connection.sendall(body)
                del blob, pixels, body

    return serve


def _answer(
    task: int, blob: bytes, decode_one: DecodeOne, settings: Settings
) -> tuple[np.ndarray | None, ImageInfo]:
    if task == Task.PROBE:
        return None, probe_image(blob, settings.policy)
    try:
        pixels, info = decode_one(blob, settings.policy, settings.size_px)
    except Exception as error:
        return None, ImageInfo(None, None, None, reject_of("decode", error))
    return (None if pixels is None else np.ascontiguousarray(pixels)), info


def _warm_up(settings: Settings) -> None:
    """Decode a picture before the first fork, so that no child pays for what is set up late."""
    stream = io.BytesIO()
    Image.new("RGB", (1000, 1000)).save(stream, "JPEG")
    decode_image(stream.getvalue(), settings.policy, settings.size_px)


_PARENT_CHECK_S = 2.0
_PR_SET_PDEATHSIG = 1
_FIRST_TO_KILL = "1000"


def main(control_fd: int, parent_pid: int) -> None:
    """Import what decoding needs, then fork children on demand until the parent is gone."""
    # Signals to a whole group of processes are for the job: a decoder that dies of one would be
    # taken for a picture's victim.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    control = socket.socket(fileno=control_fd)
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    child = 0
    while True:
        readable, _, _ = select.select([control], [], [], _PARENT_CHECK_S)
        if not readable and os.getppid() == parent_pid:
            continue
        request, fds = b"", list[int]()
        if readable:
            with contextlib.suppress(OSError):
                request, fds, _, _ = socket.recv_fds(control, 1, 1)
        if request == SETTLE:
            try:
                settings, serve = _prepare(control)
            except Exception:
                control.sendall(traceback.format_exc(limit=-3).encode())
                os._exit(1)
            control.sendall(READY)
        elif request == FORK:
            zygote_pid = os.getpid()
            child = os.fork()
            if child == 0:
                control.close()
                _confine(settings.memory_bytes, libc, zygote_pid)
                serve(socket.socket(fileno=fds[0]))
                os._exit(0)
            os.close(fds[0])
            control.sendall(NUMBER.pack(child))
        elif request == REAP:
            control.sendall(NUMBER.pack(_reap(child)))
            child = 0
        else:
            _reap(child)
            os._exit(0)


def _prepare(control: socket.socket) -> tuple[Settings, Callable[[socket.socket], None]]:
    """Receive the settings and import everything that a child uses."""
    header = bytearray(LENGTH.size)
    receive_exactly(control, memoryview(header))
    packed = bytearray(LENGTH.unpack(header)[0])
    receive_exactly(control, memoryview(packed))
    settings: Settings = pickle.loads(packed)

    return settings, make_server(settings)


def _reap(child: int) -> int:
    """Kill a child and return the number of the signal that ended it, 0 if it ended by itself."""
    if not child:
        return 0
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    try:
        _, status = os.waitpid(child, 0)
    except ChildProcessError:
        return 0
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def _confine(memory_bytes: int, libc: ctypes.CDLL | None, zygote_pid: int) -> None:
    """Bind a forked child to its limits and to the zygote's life."""
    if libc is not None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_KILL)
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limit = mapped + memory_bytes
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    if os.getppid() != zygote_pid:
        os._exit(1)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    deny_what_no_decoder_needs()
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
