"""The machines that a job is planned for, and the one that plans it."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_GROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Hardware:
    """The machines of a job, all alike.

    Attributes:
        nodes: Machines.
        cpus: CPUs of one.
        gpus: GPUs of one.
        memory_bytes: Memory of one; None where it is not known.
    """

    nodes: int
    cpus: int
    gpus: int = 0
    memory_bytes: int | None = None


def this_machine() -> Hardware:
    """Return what this process may use, with the GPUs that torch finds."""
    import torch

    return Hardware(1, usable_cpus(), torch.cuda.device_count(), _memory_bytes())


def usable_cpus() -> int:
    """Return how many CPUs this process may use, of which a machine may have more."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_bytes() -> int | None:
    """Return the machine's memory, or what a control group grants of it."""
    found = []
    with contextlib.suppress(ValueError, OSError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in _GROUP_LIMITS:
        with contextlib.suppress(OSError):
            text = Path(path).read_text(encoding="ascii").strip()
            if text.isdigit():
                found.append(int(text))
    return min(found, default=None)
