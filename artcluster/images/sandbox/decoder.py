"""Batches of encoded pictures to batches of pixels; a poisonous one is rejected alone."""

import pickle
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from artcluster.images.policy import PixelPolicy
from artcluster.images.rejects import ImageInfo, Reject
from artcluster.images.sandbox.child import Child, ChildDied
from artcluster.images.sandbox.messages import Settings, Task

if TYPE_CHECKING:
    from artcluster.images.sandbox.zygote import DecodeOne

__all__ = ["DecodedBatch", "Decoder", "ImageInfo"]


_TRIED_AGAIN = ("decoder-crash", "out-of-memory")
_STAGES = {Task.DECODE: "decode", Task.PROBE: "identify"}


@dataclass(frozen=True)
class DecodedBatch:
    """What became of a batch.

    Attributes:
        pixels_NHWC: uint8; the accepted pictures alone, in the batch's order.
        accepted: int64; the place in the batch of each row of `pixels_NHWC`.
        infos: One a picture of the batch, accepted or not.
    """

    pixels_NHWC: np.ndarray
    accepted: np.ndarray
    infos: list[ImageInfo]


class Decoder:
    """Decodes in one child process of one thread, which may die without harm to the batch.

    The child is handed a picture at a time, so that whatever kills it is known. It is started
    without waiting for it, when the decoder is made, and dies with the process that made it.
    To be used by one thread at a time.

    Args:
        policy: What is done to the pixels.
        size_px: Height and width of the results.
        timeout_s: Seconds a picture may take, not counting those in which the machine was too busy
            to run the child; then it is rejected as "timeout".
        memory_bytes: Memory that decoding one picture may take beyond what the child starts with.
        decode_one: The function that decodes one picture in the child, picklable; `decode_image`
            by default.

    Raises:
        ValueError: A size or limit is not positive.
    """

    def __init__(
        self,
        policy: PixelPolicy,
        size_px: tuple[int, int],
        *,
        timeout_s: float = 20.0,
        memory_bytes: int = 4 << 30,
        decode_one: "DecodeOne | None" = None,
    ) -> None:
        height, width = size_px
        for name, value in (
            ("height in size_px", height),
            ("width in size_px", width),
            ("timeout_s", timeout_s),
            ("memory_bytes", memory_bytes),
        ):
            if value <= 0:
                raise ValueError(f"{name} must be above 0; got {value}")
        self.policy = policy
        self.size_px = (height, width)
        packed = None if decode_one is None else pickle.dumps(decode_one)
        settings = Settings(policy, self.size_px, memory_bytes, packed)
        self._child = Child(settings, timeout_s)
        self._close = weakref.finalize(self, self._child.close)

    @property
    def child(self) -> Child:
        """The process behind it."""
        return self._child

    def decode(self, blobs: Sequence[bytes]) -> DecodedBatch:
        """Decode a batch. No picture's bytes make it raise.

        Raises:
            ArtclusterError: The child process cannot be started.
            ValueError: The decoder is closed.
        """
        pixels = np.empty((len(blobs), *self.size_px, 3), np.uint8)
        accepted, infos = list[int](), list[ImageInfo]()
        for place, blob in enumerate(blobs):
            row = pixels[len(accepted)]
            info = self._ask(Task.DECODE, blob, memoryview(row).cast("B"))
            infos.append(info)
            if info.reject is None:
                accepted.append(place)
        return DecodedBatch(pixels[: len(accepted)], np.array(accepted, np.int64), infos)

    def probe(self, blobs: Sequence[bytes]) -> list[ImageInfo]:
        """Return size and format of each picture by its header, without decoding pixels.

        Raises:
            ArtclusterError: The child process cannot be started.
            ValueError: The decoder is closed.
        """
        return [self._ask(Task.PROBE, blob, None) for blob in blobs]

    def close(self) -> None:
        """End the child process. Further calls raise ValueError."""
        self._close()

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, task: Task, blob: bytes, target: memoryview | None) -> ImageInfo:
        """Have one picture handled; one that kills the child is tried once more in a fresh one.

        What a picture before it left behind, or a machine short of memory for a moment, may have
        killed the first child. A timeout is not tried again: it costs too long.
        """
        if not self._close.alive:
            raise ValueError("the decoder is closed: make a new one")
        info = self._attempt(task, blob, target)
        if info.reject is not None and info.reject.reason in _TRIED_AGAIN:
            self._child.kill()
            info = self._attempt(task, blob, target)
        return info

    def _attempt(self, task: Task, blob: bytes, target: memoryview | None) -> ImageInfo:
        try:
            return self._child.ask(task, blob, target)
        except ChildDied as death:
            return ImageInfo(None, None, None, Reject(_STAGES[task], death.reason, death.detail))
