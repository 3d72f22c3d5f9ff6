"""Threads that numeric libraries may use in a worker process.

Two processes with two threads each on two cores run at less than half the speed of two with one.
"""

import os
import sys

_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def thread_variables(count: int) -> dict[str, str]:
    """Return the environment variables that set the threads of libraries not loaded yet.

    >>> thread_variables(1)["OMP_NUM_THREADS"]
    '1'
    """
    return dict.fromkeys(_VARIABLES, str(count))


def limit_threads(count: int) -> None:
    """Let this process's numeric libraries use `count` threads, loaded already or later."""
    os.environ.update(thread_variables(count))
    if "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(count)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)
    cv2 = sys.modules.get("cv2")
    if cv2 is not None:
        cv2.setNumThreads(count)
