"""Denies a process what a decoder never needs: the network, other programs, other processes.

Whoever takes over a decoder through a hole in an image library is held by the kernel (seccomp): it
refuses these calls, and nothing can lift that.
"""

import ctypes
import errno
import platform
import struct
import sys

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_X32 = 0x40000000
"""Calls by x86_64's second numbering, which nobody uses, begin here."""

_DENIED = {
    # socket, connect, execve, execveat, ptrace, process_vm_readv, process_vm_writev, io_uring_setup
    "x86_64": (0xC000003E, (41, 42, 59, 322, 101, 310, 311, 425)),
    "aarch64": (0xC00000B7, (198, 203, 221, 281, 117, 270, 271, 425)),
}


def deny_what_no_decoder_needs() -> bool:
    """Bind this process and its children; return whether the kernel could be told to.

    Sockets that are open stay so.
    """
    known = _DENIED.get(platform.machine())
    if sys.platform != "linux" or known is None:
        return False
    program = _program(*known)
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))
    libc = ctypes.CDLL(None)
    calls = ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (_PR_SET_SECCOMP, _MODE_FILTER, header, 0, 0))
    return all(libc.prctl(*call) == 0 for call in calls)


def _program(architecture: int, denied: tuple[int, ...]) -> bytes:
    """Return the filter: instructions of (code, jump if true, jump if false, value)."""
    checks = [(_IF_AT_LEAST, _X32), *((_IF_EQUAL, number) for number in denied)]
    to_refuse = len(checks)
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_IF_EQUAL, 0, to_refuse + 2, architecture),
        (_LOAD, 0, 0, _NUMBER_AT),
        *((code, to_refuse - at, 0, value) for at, (code, value) in enumerate(checks)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)
