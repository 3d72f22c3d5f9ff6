"""A handler that C code replaced is back afterwards, set from whichever thread."""

import ctypes
import os
import signal
import threading

from artcluster.executors.kept_handlers import kept_handlers


def test_a_handler_that_c_replaced_is_back() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    try:

        def replace() -> None:
            with kept_handlers(signal.SIGUSR1):
                ctypes.CDLL(None).signal(int(signal.SIGUSR1), ctypes.c_void_p(1))  # ignore it
                os.kill(os.getpid(), signal.SIGUSR1)

        thread = threading.Thread(target=replace)
        thread.start()
        thread.join()
        assert not heard, "it was not replaced"
        signal.raise_signal(signal.SIGUSR1)
        assert heard == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)
