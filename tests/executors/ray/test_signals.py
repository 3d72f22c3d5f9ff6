"""A handler that C code replaced is back afterwards, set from whichever thread."""

import ctypes
import signal
import threading

from artcluster.executors.ray.signals import preserve_signal_handlers

_IGNORE = ctypes.c_void_p(1)


def test_a_handler_that_c_replaced_is_back() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    try:

        def replace() -> None:
            take = ctypes.CDLL(None).signal
            take.restype = ctypes.c_void_p
            with preserve_signal_handlers(signal.SIGUSR1):
                take(int(signal.SIGUSR1), _IGNORE)
                # It is set back all the while: what is taken again is the handler, in the end.
                while take(int(signal.SIGUSR1), _IGNORE) == _IGNORE.value:
                    pass

        thread = threading.Thread(target=replace)
        thread.start()
        thread.join()
        signal.raise_signal(signal.SIGUSR1)
        assert heard == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)
