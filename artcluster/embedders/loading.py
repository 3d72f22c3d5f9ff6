"""The worker's side: an embedder ready to compute, from its contract and its tensors."""

import logging
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from artcluster.embedders.contract import Contract, precision_class
from artcluster.embedders.embedder import Embedder
from artcluster.embedders.faces import FACES
from artcluster.errors import UsageError

if TYPE_CHECKING:
    import torch
    from torch import nn

logger = logging.getLogger(__name__)


CPU_BATCH = 8
"""Images at once on a CPU at most; more leave the caches and are no faster."""


def load(
    contract: Contract,
    state: "Mapping[str, torch.Tensor] | Callable[[], Mapping[str, torch.Tensor]]",
    *,
    device: str = "auto",
    engine: str = "auto",
    threads: int = 1,
    precision: str = "auto",
    batch_size: int = 32,
    compile: bool = False,
    cache_dir: Path | None = None,
) -> Embedder:
    """Make an embedder ready to compute, in the worker that will.

    Args:
        contract: What to compute.
        state: The tensors of `prepare`, or a function that reads them where they are needed.
        device: `auto` (a GPU where there is one), `cpu`, `cuda` or `cuda:N`; `cpu` spares the
            import of torch where OpenVINO has the network already.
        engine: `auto` (OpenVINO on a CPU where it is installed, else torch), `openvino`, `torch`.
        threads: CPU threads, on a CPU.
        precision: `auto` (float16 on a GPU and float32 on a CPU, or bfloat16, after the
            contract's class), or one of those names.
        batch_size: Images the network sees at once, on a CPU at most `CPU_BATCH`.
        compile: Compile the network with torch; OpenVINO ignores it.
        cache_dir: Where this machine keeps converted networks.

    Raises:
        UsageError: An argument does not suit the contract or the machine, or the tensors are not
            the contract's.
        ConversionError: OpenVINO was asked for and cannot compute this network.
    """
    if contract.network == "color-histogram":
        from artcluster.embedders.embedder import HistogramEmbedder

        return HistogramEmbedder(contract)
    if contract.network == FACES:
        from artcluster.embedders.faces import FaceEmbedder

        return FaceEmbedder(contract, state)
    _check_choices(contract, engine, precision, threads, batch_size)
    if device != "cpu":
        from artcluster.embedders.torch_engine import resolve_device

        device = str(resolve_device(device))
    if device == "cpu":
        batch_size = min(batch_size, CPU_BATCH)
    if _by_openvino(contract, device, engine, precision):
        if compile:
            logger.warning("compile is ignored: OpenVINO computes %s", contract.name)
        from artcluster.embedders.openvino_engine import (
            ConversionError,
            OpenVinoEmbedder,
            converted_model,
        )

        try:
            model = converted_model(contract, lambda: _network(contract, state), cache_dir)
        except ConversionError as error:
            if engine == "openvino":
                raise
            logger.warning("%s: going on with torch", error)
        else:
            return OpenVinoEmbedder(contract, model, batch_size=batch_size, threads=threads)
    from artcluster.embedders.torch_engine import TorchEmbedder

    if precision == "auto":
        on_gpu = "float16" if device.startswith("cuda") else "float32"
        precision = "bfloat16" if contract.precision == "bfloat16" else on_gpu
    return TorchEmbedder(
        contract,
        _network(contract, state),
        device=device,
        precision=precision,
        batch_size=batch_size,
        threads=threads,
        compile=compile,
    )


def _check_choices(
    contract: Contract, engine: str, precision: str, threads: int, batch_size: int
) -> None:
    if engine not in ("auto", "openvino", "torch"):
        raise UsageError(f"engine must be auto, openvino or torch, got {engine!r}")
    if threads < 1 or batch_size < 1:
        raise UsageError(
            f"threads and batch_size must be at least 1, got {threads} and {batch_size}"
        )
    if precision != "auto" and precision_class(precision) != contract.precision:
        raise UsageError(
            f"the vectors of {contract.embedder_id} are of the precision class "
            f"{contract.precision}; {precision} would give others: use precision auto, or embed "
            "the archive under another embedder"
        )


def _by_openvino(contract: Contract, device: str, engine: str, precision: str) -> bool:
    suits = device == "cpu" and contract.precision == "float" and precision != "float16"
    installed = find_spec("openvino") is not None
    if engine == "openvino" and not suits:
        raise UsageError(
            "engine openvino computes in float32 on a CPU; got device "
            f"{device}, precision {precision} and the class {contract.precision}: use engine auto"
        )
    if engine == "openvino" and not installed:
        raise UsageError(
            "engine openvino is not installed: pip install 'artcluster[cpu]', or use engine torch"
        )
    return engine != "torch" and suits and installed


def _network(
    contract: Contract,
    state: "Mapping[str, torch.Tensor] | Callable[[], Mapping[str, torch.Tensor]]",
) -> "nn.Module":
    """Build the contract's network with its tensors, which are checked to be the contract's."""
    from artcluster.embedders.networks import build_network, fill
    from artcluster.embedders.state import checked_state

    tensors = checked_state(state, contract.weights_sha256, contract.embedder_id)
    return fill(build_network(contract.network, contract.input_px), tensors)
