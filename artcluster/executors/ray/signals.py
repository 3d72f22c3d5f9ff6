"""Signal handlers that C code takes for itself are set back."""

import ctypes
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ACTION_BYTES = 512
"""More than a `struct sigaction` has on any system; it is only kept and handed back."""

_EVERY_S = 0.002


@contextmanager
def preserve_signal_handlers(*signals: signal.Signals) -> Iterator[None]:
    """Set the handlers of signals back to what they were before, whenever they are taken."""
    if os.name != "posix":
        yield
        return
    libc = ctypes.CDLL(None)
    before = {number: ctypes.create_string_buffer(_ACTION_BYTES) for number in signals}
    for number, action in before.items():
        libc.sigaction(int(number), None, action)
    over = threading.Event()

    def keep() -> None:
        while True:
            last = over.wait(_EVERY_S)
            for number, action in before.items():
                libc.sigaction(int(number), action, None)
            if last:
                return

    keeper = threading.Thread(target=keep, name="artcluster-handlers", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()
