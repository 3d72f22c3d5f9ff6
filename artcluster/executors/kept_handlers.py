"""Keeping a process's own answer to SIGTERM while Ray starts in it.

Ray's core hands SIGTERM to Abseil's handler of crashes: it prints a stack, and aborts the process
three seconds later unless Python's handler came to run before. Python can set a signal's handler in
its main thread alone, and Ray is started in another one: so it is done in C. On a busy machine
Ray takes seconds between taking the signal and being there: so it is done all the while.
"""

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
def kept_handlers(*signals: signal.Signals) -> Iterator[None]:
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
