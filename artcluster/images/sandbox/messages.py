"""What passes between a decoder, the zygote that forks its child, and the child."""

import ctypes
import errno
import json
import platform
import socket
import struct
import sys
from dataclasses import asdict, dataclass
from enum import IntEnum

from artcluster.images.policy import PixelPolicy
from artcluster.images.rejects import ImageInfo, Reject

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


REQUEST = struct.Struct("<BQ")
"""A `Task`, and the length of the blob that follows."""


ANSWER = struct.Struct("<IQ")
"""Lengths of the info and of the pixels that follow."""


SETTLE = b"s"
"""To the zygote, with `LENGTH` and pickled `Settings`: import what they need; answers `READY`."""


FORK = b"f"
"""To the zygote, with a socket attached: fork a child that serves it; answers with its pid."""


REAP = b"r"
"""To the zygote: kill the child if it lives; answers with the signal that ended it, or 0."""


READY = b"+"
"""From the zygote, once it has imported everything; anything else is why it could not."""


NUMBER = struct.Struct("<q")
"""The zygote's answers."""


LENGTH = struct.Struct("<Q")
"""Length of the pickled `Settings` that follow."""


@dataclass(frozen=True)
class Settings:
    """What the child needs; pickled by the parent, whose bytes are trusted.

    Attributes:
        policy: The pixel policy.
        size_px: Height and width of the results.
        memory_bytes: Memory a child may map beyond what it has mapped when it starts.
        decode_one: Pickled `DecodeOne`; None for `decode_image`, which the parent, that never
            decodes, need not import.
    """

    policy: PixelPolicy
    size_px: tuple[int, int]
    memory_bytes: int
    decode_one: bytes | None


class Task(IntEnum):
    """What the child is asked to do with a blob."""

    DECODE = 1
    PROBE = 2


_OF_REJECT = ("stage", "reason", "detail")


def pack_info(info: ImageInfo) -> bytes:
    """Return an info as JSON: the child handles hostile bytes, so nothing it says is unpickled."""
    return json.dumps(asdict(info)).encode()


def unpack_info(packed: bytes) -> ImageInfo:
    """Return the info that `pack_info` packed; a crash where a child that hostile bytes took over
    says something else.

    >>> info = ImageInfo(2, 3, "PNG", Reject("decode", "truncated", "cut"))
    >>> unpack_info(pack_info(info)) == info
    True
    """
    try:
        fields = json.loads(packed)
        if fields["reject"] is not None:
            fields["reject"] = Reject(**{name: str(fields["reject"][name]) for name in _OF_REJECT})
        return ImageInfo(**fields)
    except (ValueError, TypeError, KeyError, AttributeError, AssertionError):
        nonsense = Reject("decode", "decoder-crash", "the decoder's answer makes no sense")
        return ImageInfo(None, None, None, nonsense)


def receive_exactly(connection: socket.socket, target: memoryview) -> None:
    """Fill a buffer from a socket.

    Raises:
        EOFError: The other side closed, or died, first.
    """
    done = 0
    while done < len(target):
        count = connection.recv_into(target[done:])
        if not count:
            raise EOFError(f"connection closed after {done} of {len(target)} bytes")
        done += count
