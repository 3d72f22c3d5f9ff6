"""Vectors by torch, on a GPU or a CPU."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from artcluster.embedders.contract import Contract
from artcluster.embedders.embedder import check_finite, check_pixels
from artcluster.embedders.networks import PixelsToVectors
from artcluster.errors import ArtclusterError, UsageError

logger = logging.getLogger(__name__)


class TorchEmbedder:
    """A network on one torch device.

    Batches go to a GPU from pinned memory without waiting; results stay there until the last.
    A batch that does not fit is halved, and later ones with it. Where float16 overflows, the
    image is computed again in float32.

    Args:
        contract: What to compute.
        network: The network, filled with its weights.
        device: Where.
        precision: `float32`, `float16` or `bfloat16`; the latter two by autocast.
        batch_size: Images the network sees at once.
        threads: CPU threads of torch during a call, on a CPU.
        compile: Compile the network; the last batch is then padded to the full size.
    """

    def __init__(
        self,
        contract: Contract,
        network: nn.Module,
        *,
        device: str,
        precision: str,
        batch_size: int,
        threads: int,
        compile: bool = False,
    ) -> None:
        self.dim = contract.dim
        self.input_px = contract.input_px
        self.batch_size = batch_size
        self.engine: Mapping[str, str] = {
            "engine": "torch",
            "torch": torch.__version__,
            "device": _device_name(torch.device(device)),
            "precision": precision,
            "compiled": str(compile).lower(),
        }
        self._name = contract.name
        self._device = torch.device(device)
        self._dtype: torch.dtype = getattr(torch, precision)
        self._threads = threads
        self._pad = compile
        module: nn.Module = PixelsToVectors(contract, network).to(device).eval()
        module = module.to(memory_format=torch.channels_last)
        self._eager = module
        self._module = torch.compile(module, dynamic=False) if compile else module

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Map uint8 (N, H, W, 3) to float32 (N, dim).

        Raises:
            ArtclusterError: Not even one image fits on the GPU, or vectors are not finite.
        """
        check_pixels(pixels, self.input_px)
        with torch.inference_mode(), _cpu_threads(self._device, self._threads):
            vectors = self._embed(pixels, self._dtype)
            overflown = np.flatnonzero((~np.isfinite(vectors)).any(axis=1))
            if len(overflown) and self._dtype != torch.float32:
                logger.info("%s: %d images again in float32", self._name, len(overflown))
                vectors[overflown] = self._embed(pixels[overflown], torch.float32)
        check_finite(vectors, self._name)
        return vectors

    def _embed(self, pixels: np.ndarray, dtype: torch.dtype) -> np.ndarray:
        done: list[torch.Tensor] = [torch.empty(0, self.dim, device=self._device)]
        start = 0
        while start < len(pixels):
            stop = min(start + self.batch_size, len(pixels))
            vectors = self._try_batch(pixels[start:stop], dtype)
            if vectors is None:
                self._halve()
                continue
            done.append(vectors)
            start = stop
        return torch.cat(done).cpu().numpy()

    def _try_batch(self, pixels: np.ndarray, dtype: torch.dtype) -> torch.Tensor | None:
        """Return a batch's vectors on the device, or None where it did not fit."""
        module = self._module if dtype == self._dtype else self._eager
        rows = len(pixels)
        autocast = torch.autocast(self._device.type, dtype, enabled=dtype != torch.float32)
        try:
            with autocast:
                vectors: torch.Tensor = module(self._upload(pixels))
            return vectors[:rows].float()
        except torch.OutOfMemoryError:
            return None

    def _upload(self, pixels: np.ndarray) -> torch.Tensor:
        rows = self.batch_size if self._pad else len(pixels)
        on_gpu = self._device.type == "cuda"
        staged = torch.empty((rows, *pixels.shape[1:]), dtype=torch.uint8, pin_memory=on_gpu)
        staged[len(pixels) :] = 0
        staged.numpy()[: len(pixels)] = pixels
        return staged.to(self._device, non_blocking=True)

    def _halve(self) -> None:
        if self.batch_size == 1:
            raise ArtclusterError(
                f"one image of {self.input_px[0]}×{self.input_px[1]} px does not fit through "
                f"{self._name} on {self.engine['device']}: free its memory, or use device cpu"
            )
        self.batch_size //= 2
        logger.warning(
            "%s: out of memory on %s; batches of %d images from here on",
            self._name,
            self.engine["device"],
            self.batch_size,
        )
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def resolve_device(device: str) -> torch.device:
    """Return the device for `auto` (a GPU where there is one), `cpu`, `cuda` or `cuda:N`.

    Raises:
        UsageError: No such device here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        if resolved.type not in ("cpu", "cuda"):
            raise RuntimeError(resolved.type)
    except RuntimeError as error:
        raise UsageError(f"device must be auto, cpu, cuda or cuda:N, got {device!r}") from error
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"device {device} was asked for, but torch sees {torch.cuda.device_count()} GPUs here: "
            "use auto or cpu"
        )
    return resolved


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


@contextmanager
def _cpu_threads(device: torch.device, threads: int) -> Iterator[None]:
    """Lend torch a number of CPU threads; others in this process get theirs back."""
    before = torch.get_num_threads()
    if device.type == "cpu" and before != threads:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)
