"""The most memory that a process took while something ran."""

import re
from pathlib import Path

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def reset_peak() -> bool:
    """Let the kernel forget the peak so far; False where it cannot (not Linux)."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True


def peak_bytes() -> int | None:
    """Return the peak of this process's resident memory since then; None where not told."""
    try:
        found = _PEAK.search(_STATUS.read_text())
    except OSError:
        return None
    return None if found is None else int(found.group(1)) * 1024
