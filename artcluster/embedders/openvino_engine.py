"""Vectors by OpenVINO, on a CPU. Needs no torch once the network is converted."""

import fcntl
import hashlib
import json
import logging
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from artcluster.embedders.contract import REVISION, Contract
from artcluster.embedders.embedder import check_finite, check_pixels, cosine_distance
from artcluster.errors import ArtclusterError

logger = logging.getLogger(__name__)


TOLERANCE = 1e-4
"""The largest cosine distance that is let pass between OpenVINO's vectors and torch's."""


class ConversionError(ArtclusterError):
    """OpenVINO cannot compute a network, or computes something else than torch."""


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry, which else reports home at import."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def converted_model(contract: Contract, network: Callable[[], Any], cache_dir: Path | None) -> Any:
    """Return the network as an OpenVINO model that takes uint8 (N, H, W, 3), N free.

    With a cache folder the first process converts, others wait for it and read the result; then
    neither torch nor the weights are needed. A half-written result is never seen.

    Args:
        contract: What to compute.
        network: Returns the filled torch network; called only to convert.
        cache_dir: Where converted models are kept on this machine.

    Raises:
        ConversionError: The network cannot be converted, or the result differs from torch's.
    """
    openvino = import_openvino()
    if cache_dir is None:
        return _convert(contract, network())
    cache_dir.mkdir(parents=True, exist_ok=True)
    folder = cache_dir / cache_key(contract, openvino.get_version())
    with (cache_dir / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _write(_convert(contract, network()), folder)
    try:
        return openvino.Core().read_model(folder / "model.xml")
    except RuntimeError as error:
        raise ConversionError(
            f"the converted model in {folder} cannot be read: remove that folder and start again"
        ) from error


def cache_key(contract: Contract, version: str) -> str:
    """Return a folder's name for a contract's network under a version of OpenVINO."""
    decides = [
        contract.network,
        contract.weights_sha256,
        contract.input_px,
        contract.mean,
        contract.std,
        version,
        REVISION,
    ]
    digest = hashlib.sha256(json.dumps(decides).encode()).hexdigest()
    return f"openvino-{contract.network.replace('/', '.').replace(':', '.')}-{digest[:16]}"


def _write(model: Any, folder: Path) -> None:
    scratch = Path(tempfile.mkdtemp(prefix=".converting-", dir=folder.parent))
    try:
        import_openvino().save_model(model, scratch / "model.xml", compress_to_fp16=False)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _convert(contract: Contract, network: Any) -> Any:
    import torch

    from artcluster.embedders.networks import PixelsToVectors

    openvino = import_openvino()
    module = PixelsToVectors(contract, network).eval()
    height, width = contract.input_px
    generator = np.random.default_rng(0)
    example = generator.integers(0, 256, (3, height, width, 3), dtype=np.uint8)
    logger.info("converting %s for OpenVINO", contract.name)
    with torch.no_grad():
        expected = module(torch.from_numpy(example)).numpy()
    check_finite(expected, contract.name)
    pixels = torch.from_numpy(example[:2])
    try:
        with torch.no_grad(), warnings.catch_warnings():
            # torch.jit.trace is deprecated, but OpenVINO has no faster way in. A function is traced
            # in a quarter of a module's time.
            warnings.simplefilter("ignore")
            traced: Any = torch.jit.trace(  # type: ignore[no-untyped-call]
                lambda p: module(p), pixels, check_trace=False
            )
            model = openvino.convert_model(
                traced,
                example_input=pixels,
                input=[openvino.PartialShape([-1, height, width, 3])],
            )
        got = compile_model(model, threads=1)([example])[0]
    except Exception as error:  # Each of OpenVINO's frontends raises its own.
        reason = str(error).partition("\n")[0]
        raise ConversionError(
            f"OpenVINO cannot compute {contract.name}: {reason}; use engine torch"
        ) from error
    worst = float(cosine_distance(expected, got).max())
    if not worst <= TOLERANCE:
        raise ConversionError(
            f"OpenVINO's {contract.name} lies at a cosine distance of {worst:.1e} from torch's, "
            f"more than {TOLERANCE:.0e}: use engine torch"
        )
    return model


def compile_model(model: Any, *, threads: int) -> Any:
    """Compile a model for this machine's CPU, in float32 and unpinned.

    One stream over all threads was as fast as a stream a thread. Pinning would put every process
    of a machine on the same cores, and the default precision is bfloat16 where a CPU has it.
    """
    return (
        import_openvino()
        .Core()
        .compile_model(
            model,
            "CPU",
            {
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
                "INFERENCE_PRECISION_HINT": "f32",
                "ENABLE_CPU_PINNING": False,
            },
        )
    )


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
