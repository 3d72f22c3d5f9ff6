"""A tiny CLIP of random weights, since no package carries real ones: its words mean nothing.

What is real is the library's architecture, its tokenizer, and the way of the weights from a file.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch

NAME = "tiny-random-clip"
_ARCHITECTURE = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 16,
        "heads": 2,
        "layers": 2,
    },
}


@dataclass(frozen=True)
class TinyClip:
    """The network, and a checkpoint of it as OpenCLIP's training writes them."""

    network: Any
    weights: Path
    sha256: str

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "embed__backbone": f"clip:{NAME}",
            "embed__weights": str(self.weights),
            "embed__weights_sha256": self.sha256,
        }


def make_tiny_clip(folder: Path) -> TinyClip:
    (folder / "architectures").mkdir()
    (folder / "architectures" / f"{NAME}.json").write_text(json.dumps(_ARCHITECTURE))
    open_clip.add_model_config(folder / "architectures")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = open_clip.create_model(NAME).eval().requires_grad_(False)
        # Random vectors lie close together: a sharp softmax tells them apart.
        network.logit_scale.data.fill_(8.0)
    state = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    weights = folder / "tiny-random-clip.pt"
    torch.save({"epoch": 1, "state_dict": state}, weights)
    return TinyClip(network, weights, hashlib.sha256(weights.read_bytes()).hexdigest())
