"""Keeping what a library's native code prints out of a command's own output."""

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.Lock()


@contextmanager
def quiet_stdout() -> Iterator[None]:
    """Throw away what native code writes to standard output within the block.

    FAISS tells there which file it maps, where --json promises JSON alone.
    """
    with _LOCK:
        sys.stdout.flush()
        kept = os.dup(1)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 1)
            yield
            # What the C library holds back would come out later.
            ctypes.CDLL(None).fflush(None)
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            os.close(nowhere)
