"""What passes between a decoder, the zygote that forks its child, and the child."""

import json
import socket
import struct
from dataclasses import asdict, dataclass
from enum import IntEnum

from artcluster.images.info import ImageInfo
from artcluster.images.policy import PixelPolicy
from artcluster.images.rejects import Reject

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


def pack_info(info: ImageInfo) -> bytes:
    """Return an info as JSON: the child handles hostile bytes, so nothing it says is unpickled."""
    return json.dumps(asdict(info)).encode()


def unpack_info(packed: bytes) -> ImageInfo:
    """Return the info that `pack_info` packed.

    >>> info = ImageInfo(2, 3, "PNG", Reject("decode", "truncated", "cut"))
    >>> unpack_info(pack_info(info)) == info
    True
    """
    fields = json.loads(packed)
    if fields["reject"] is not None:
        fields["reject"] = Reject(**fields["reject"])
    return ImageInfo(**fields)


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
