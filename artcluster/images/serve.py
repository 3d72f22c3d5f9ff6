"""What the decoding child does: take a blob from its socket, answer with pixels or a reject."""

import io
import pickle
import socket
import warnings
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from artcluster.images.decode import decode_image
from artcluster.images.identify import probe_image
from artcluster.images.info import ImageInfo
from artcluster.images.messages import ANSWER, REQUEST, Settings, Task, pack_info
from artcluster.images.policy import PixelPolicy
from artcluster.images.rejects import reject_of

DecodeOne = Callable[[bytes, PixelPolicy, tuple[int, int]], tuple["np.ndarray | None", ImageInfo]]
"""A function like `decode_image`."""


def make_server(settings: Settings) -> Callable[[socket.socket], None]:
    """Load what decoding needs, once for all children, and return the function a child runs."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    Image.init()
    decode_one: DecodeOne = decode_image
    if settings.decode_one is not None:
        decode_one = pickle.loads(settings.decode_one)
    _warm_up(settings)

    def serve(connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            while len(header := stream.read(REQUEST.size)) == REQUEST.size:
                task, length = REQUEST.unpack(header)
                blob = stream.read(length)
                pixels, info = _answer(task, blob, decode_one, settings)
                packed = pack_info(info)
                body = b"" if pixels is None else pixels.data.cast("B")
                connection.sendall(ANSWER.pack(len(packed), len(body)) + packed)
                connection.sendall(body)
                del blob, pixels, body

    return serve


def _answer(
    task: int, blob: bytes, decode_one: DecodeOne, settings: Settings
) -> tuple[np.ndarray | None, ImageInfo]:
    if task == Task.PROBE:
        return None, probe_image(blob, settings.policy)
    try:
        pixels, info = decode_one(blob, settings.policy, settings.size_px)
    except Exception as error:
        return None, ImageInfo(None, None, None, reject_of("decode", error))
    return (None if pixels is None else np.ascontiguousarray(pixels)), info


def _warm_up(settings: Settings) -> None:
    """Decode a picture before the first fork, so that no child pays for what is set up late."""
    stream = io.BytesIO()
    Image.new("RGB", (1000, 1000)).save(stream, "JPEG")
    decode_image(stream.getvalue(), settings.policy, settings.size_px)
