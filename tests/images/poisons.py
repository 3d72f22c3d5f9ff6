"""Functions for a decoder's child that do what a bad picture does to a real decoder."""

import ctypes
import os
import signal
import time

import numpy as np

from artcluster.images.decode import decode_image
from artcluster.images.policy import PixelPolicy
from artcluster.images.rejects import ImageInfo

SEGFAULT, HANG, SLEEP, EAT, EXIT, RAISE, ABORT, WRONG, OUTSIDE, LEAK = (
    f"poison:{name}".encode()
    for name in (
        *("segfault", "hang", "sleep", "eat", "exit"),
        *("raise", "abort", "wrong", "outside", "leak"),
    )
)
_leaked: list[bytearray] = []


def decode_or_die(
    blob: bytes, policy: PixelPolicy, size_px: tuple[int, int]
) -> tuple[np.ndarray | None, ImageInfo]:
    """Decode as usual, but do what a marked blob says."""
    if blob == SEGFAULT:
        ctypes.string_at(0)
    elif blob == HANG:
        while True:
            pass
    elif blob == SLEEP:
        time.sleep(3600)
    elif blob == EAT:
        eaten = [bytearray(16 << 20) for _ in range(10_000)]
        del eaten
    elif blob == EXIT:
        os._exit(7)
    elif blob == RAISE:
        raise OSError("broken data stream when reading image file")
    elif blob == ABORT:
        os.abort()
    elif blob == WRONG:
        return np.zeros((3, 3), np.uint8), ImageInfo(3, 3, "X", None)
    elif blob == OUTSIDE:
        os.kill(os.getpid(), signal.SIGKILL)
    elif blob.startswith(LEAK):
        _leaked.append(bytearray(150 << 20))
        return np.zeros((*size_px, 3), np.uint8), ImageInfo(1, 1, "X", None)
    return decode_image(blob, policy, size_px)
