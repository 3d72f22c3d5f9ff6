"""CLIP-like networks of the OpenCLIP library, by its names: `clip:NETWORK` or `clip:NETWORK/TAG`.

A tag says how weights were trained: which preprocessing and activation they expect, and where the
library downloads them. The tensors kept are those of the whole network: pictures need its image
tower alone, and words that are compared with them the text tower beside it.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from artcluster.embedders.catalogue import CLIP
from artcluster.embedders.state import read_tensors
from artcluster.errors import UsageError

_IMAGE = "visual."


class ImageTower(nn.Module):
    """The part of a CLIP-like network that maps pictures to vectors.

    Args:
        clip: The whole network, of which only the image tower is kept.
    """

    def __init__(self, clip: nn.Module) -> None:
        super().__init__()
        self.visual: Any = clip.visual
        self.whole = {
            name: tuple(tensor.shape)
            for name, tensor in clip.state_dict().items()
            if not name.endswith("num_batches_tracked")
        }
        """Names and shapes of the whole network's tensors."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map normalised (N, 3, H, W) to (N, D); vectors are not yet of length one."""
        found = self.visual(pixels)
        # CoCa's image tower also gives the tokens that its captions are made from.
        vectors: torch.Tensor = found[0] if isinstance(found, tuple) else found
        return vectors

    @staticmethod
    def part_of(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the image tower's tensors among those of the whole network."""
        return {name: tensor for name, tensor in state.items() if name.startswith(_IMAGE)}


def clip_preprocessing(
    network: str,
) -> tuple[tuple[int, int], tuple[float, ...], tuple[float, ...]]:
    """Return input size (H, W), mean and deviation that OpenCLIP states for a network.

    Raises:
        UsageError: OpenCLIP is not installed or knows no such network.
    """
    open_clip, name, tag = _open_clip(network)
    size = open_clip.get_model_config(name)["vision_cfg"]["image_size"]
    height, width = (size, size) if isinstance(size, int) else size
    mean = tag.get("mean") or open_clip.OPENAI_DATASET_MEAN
    std = tag.get("std") or open_clip.OPENAI_DATASET_STD
    return (height, width), tuple(mean), tuple(std)


def build_clip(network: str) -> nn.Module:
    """Build a whole network, both towers; torch's generator draws its weights.

    Raises:
        UsageError: OpenCLIP is not installed, knows no such network, or lacks what it needs.
    """
    open_clip, name, tag = _open_clip(network)
    quick_gelu = bool(tag.get("quick_gelu")) and not name.endswith("-quickgelu")
    try:
        with _quiet():
            built: nn.Module = open_clip.create_model(
                name,
                load_weights=False,
                pretrained_text=False,
                force_quick_gelu=quick_gelu,
            )
    except (ImportError, OSError, RuntimeError) as error:
        raise UsageError(
            f"OpenCLIP cannot build {network}: {_first_line(error)}; networks whose text tower is "
            "OpenCLIP's own, such as clip:ViT-B-32/TAG, need nothing further"
        ) from error
    return built


def build_image_tower(network: str, input_px: tuple[int, int]) -> ImageTower:
    """Build a network's image tower.

    Raises:
        UsageError: OpenCLIP is not installed, knows no such network, or has it at another size.
    """
    own, _, _ = clip_preprocessing(network)
    if own != input_px:
        raise UsageError(
            f"{network} takes {own[0]}×{own[1]} px alone, got {input_px[0]}×{input_px[1]}: "
            "leave input_px out"
        )
    return ImageTower(build_clip(network))


def clip_weights(network: str) -> tuple[dict[str, torch.Tensor], str]:
    """Return the tensors that OpenCLIP downloads for `clip:NETWORK/TAG`, and where from.

    Raises:
        OSError: They cannot be downloaded.
        UsageError: No tag was named, or the file holds more than tensors.
    """
    open_clip, name, tag = _open_clip(network)
    if not tag:
        tags = _tags(open_clip, name)
        raise UsageError(
            f"{network} names no weights: "
            + (f"choose {CLIP}{name}/TAG with a tag such as {tags}, or " if tags else "")
            + "hand in a path or URI of an OpenCLIP checkpoint and its SHA-256 "
            "(--weights FILE --weights-sha256 HEX)"
        )
    with _quiet():
        path = Path(open_clip.download_pretrained(tag))
    origin = f"OpenCLIP, {tag.get('hf_hub') or tag.get('url')}"
    return read_tensors(path.read_bytes(), f"{origin} {path.name}"), origin


def clip_tokenizer(network: str) -> Callable[[list[str]], torch.Tensor]:
    """Return what cuts texts into a network's tokens, (N, context length) int64.

    OpenCLIP carries the vocabulary of CLIP's own; those of others are fetched by their libraries.

    Raises:
        UsageError: The vocabulary cannot be had.
    """
    open_clip, name, _ = _open_clip(network)
    try:
        found: Callable[[list[str]], torch.Tensor] = open_clip.get_tokenizer(name)
    except (ImportError, OSError) as error:
        raise UsageError(
            f"the vocabulary of {network} cannot be had: {_first_line(error)}; networks whose text "
            "tower is OpenCLIP's own, such as clip:ViT-B-32/TAG, need nothing further"
        ) from error
    return found


def _open_clip(network: str) -> tuple[Any, str, dict[str, Any]]:
    """Import OpenCLIP, and return it with the network's name and what its tag says."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import open_clip
    except ImportError as error:
        raise UsageError(
            f"{network} needs OpenCLIP, which is not installed: pip install 'artcluster[clip]'"
        ) from error
    name, slash, tag = network.removeprefix(CLIP).partition("/")
    known = open_clip.list_models()
    if name not in known:
        family = name.split("-")[0].lower()
        close = ", ".join([each for each in known if each.lower().startswith(family)][:8])
        hint = f"did you mean one of {close}?" if close else "open_clip.list_models() lists them"
        raise UsageError(f"OpenCLIP has no network {name!r}; {hint}")
    stated = open_clip.get_pretrained_cfg(name, tag) if slash else {}
    if slash and not stated:
        tags = _tags(open_clip, name) or "none"
        raise UsageError(f"OpenCLIP has no weights {tag!r} of {name}; it has {tags}")
    return open_clip, name, dict(stated)


def _tags(open_clip: Any, name: str) -> str:
    tags = open_clip.list_pretrained_tags_by_model(name)
    return ", ".join(tags[:6]) + (f" and {len(tags) - 6} more" if len(tags) > 6 else "")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what the library logs, by the root logger: that weights are not loaded yet."""
    root = logging.getLogger()

    def grave(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    root.addFilter(grave)
    try:
        yield
    finally:
        root.removeFilter(grave)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
