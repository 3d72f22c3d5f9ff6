"""Which process this is, and whether another process of this machine still lives."""

import os
import socket
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One process of one boot of one machine, told from a later one with the same pid.

    Attributes:
        host: The machine's name, for people.
        machine: Boot and pid namespace, which two processes must share to judge each other.
        pid: Process number.
        started: When the process started, in the kernel's ticks; '' where unknown.
    """

    host: str
    machine: str
    pid: int
    started: str

    @classmethod
    def current(cls) -> "Process":
        """Return this process."""
        return cls(socket.gethostname(), _machine(), os.getpid(), _started(os.getpid()) or "")

    def is_dead(self) -> bool:
        """Tell whether the process has certainly ended; False where that cannot be known."""
        if (self.host, self.machine) != (socket.gethostname(), _machine()):
            return False
        if self.started:
            return _started(self.pid) != self.started
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


def current_command() -> str:
    """Return what this process was started as, without arguments, which may hold secrets.

    For example `artcluster update`, or the name of a script.
    """
    program, verb = Path(sys.argv[0]), sys.argv[1:2]
    name = program.parent.name if program.name == "__main__.py" else program.name
    return " ".join([name, *verb]) if name == "artcluster" else name


def _machine() -> str:
    """Name this boot and pid namespace; elsewhere than on Linux, the network card."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{uuid.getnode():012x}"


def _started(pid: int) -> str | None:
    """Return a process's start time; None where it is gone, killed and unreaped, or unknown."""
    try:
        # The command's name, in brackets, may itself hold brackets and spaces.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else fields[19].decode()
