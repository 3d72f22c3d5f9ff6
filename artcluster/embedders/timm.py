"""Networks of the timm library, by its names, with its own preprocessing and weights."""

import os
from typing import Any

import torch
from torch import nn

from artcluster.embedders.catalogue import TIMM
from artcluster.errors import UsageError


def timm_preprocessing(
    network: str,
) -> tuple[tuple[int, int], tuple[float, ...], tuple[float, ...]]:
    """Return input size (H, W), mean and deviation that timm states for `timm:NAME`.

    Raises:
        UsageError: timm is not installed or knows no such network.
    """
    timm, name = _timm(network)
    config: dict[str, Any] = timm.data.resolve_data_config(
        pretrained_cfg=_pretrained(timm, name).to_dict(), verbose=False
    )
    _, height, width = config["input_size"]
    return (height, width), tuple(config["mean"]), tuple(config["std"])


def timm_weights(network: str) -> tuple[dict[str, torch.Tensor], str]:
    """Return the tensors that timm downloads for `timm:NAME`, and where they came from.

    Raises:
        OSError: They cannot be downloaded.
        UsageError: timm has none for this network.
    """
    timm, name = _timm(network)
    source = _pretrained(timm, name)
    if not source.has_weights:
        raise UsageError(f"timm has no weights for {name}: hand in a path or URI and its SHA-256")
    built: nn.Module = timm.create_model(name, pretrained=True, num_classes=0)
    return dict(built.state_dict()), str(source.hf_hub_id or source.url)


def build_timm(network: str, input_px: tuple[int, int]) -> nn.Module:
    """Build `timm:NAME` without its head; torch's generator draws its weights.

    Raises:
        UsageError: timm is not installed, knows no such network, or has it at another size only.
    """
    timm, name = _timm(network)
    own, _, _ = timm_preprocessing(network)
    if _pretrained(timm, name).fixed_input_size and own != input_px:
        raise UsageError(
            f"{network} takes {own[0]}×{own[1]} px alone, got {input_px[0]}×{input_px[1]}: "
            "leave input_px out"
        )
    built: nn.Module = timm.create_model(name, pretrained=False, num_classes=0)
    return built


def _timm(network: str) -> tuple[Any, str]:
    """Import timm, whose downloads report to nobody, and check the name."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import timm
    except ImportError as error:
        raise UsageError(
            f"{network} needs timm, which is not installed: pip install 'artcluster[timm]'"
        ) from error
    name = network.removeprefix(TIMM)
    if not timm.is_model(name):
        family = name.split(".")[0].split("_")[0]
        close = ", ".join(timm.list_models(f"*{family}*")[:8])
        hint = f"did you mean one of {close}?" if close else "timm.list_models() lists them"
        raise UsageError(f"timm has no network {name!r}; {hint}")
    return timm, name


def _pretrained(timm: Any, name: str) -> Any:
    config = timm.get_pretrained_cfg(name)
    if config is None:
        raise UsageError(f"timm states no preprocessing for {name}; choose another network")
    return config
