"""Vectors by OpenVINO, on a CPU. Needs no torch once the network is converted."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from artcluster.embedders.contract import Contract
from artcluster.embedders.openvino_model import compile_model, import_openvino
from artcluster.embedders.pixels import check_finite, check_pixels


class OpenVinoEmbedder:
    """A converted network on this machine's CPU.

    Args:
        contract: What to compute.
        model: As `converted_model` returns it.
        batch_size: Images the network sees at once; 4 to 16 were fastest.
        threads: CPU threads.
    """

    def __init__(self, contract: Contract, model: Any, *, batch_size: int, threads: int) -> None:
        self.dim = contract.dim
        self.input_px = contract.input_px
        self.batch_size = batch_size
        self.engine: Mapping[str, str] = {
            "engine": "openvino",
            "openvino": str(import_openvino().get_version()),
            "device": "cpu",
            "precision": "float32",
        }
        self._name = contract.name
        self._request = compile_model(model, threads=threads).create_infer_request()

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Map uint8 (N, H, W, 3) to float32 (N, dim).

        Raises:
            ArtclusterError: Vectors are not finite.
        """
        check_pixels(pixels, self.input_px)
        vectors = np.empty((len(pixels), self.dim), np.float32)
        for start in range(0, len(pixels), self.batch_size):
            batch = pixels[start : start + self.batch_size]
            vectors[start : start + len(batch)] = self._request.infer([batch])[0]
        check_finite(vectors, self._name)
        return vectors
