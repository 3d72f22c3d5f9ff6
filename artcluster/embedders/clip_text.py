"""Words in the space of a CLIP-like network's pictures."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from artcluster.embedders.clip import build_clip, clip_tokenizer
from artcluster.embedders.contract import Contract
from artcluster.embedders.embedder import check_finite
from artcluster.embedders.networks import fill
from artcluster.embedders.state import checked_state

TEMPLATES = (
    "{}",
    "a painting of {}",
    "a drawing of {}",
    "a print of {}",
    "a photograph of {}",
    "a work of art that shows {}",
)
"""What a word is put into; its vector is the mean over them."""


_AT_ONCE = 256


class TextTower:
    """Maps texts to vectors that are compared with those of pictures by the cosine.

    Args:
        contract: Of the embedder of the pictures.
        state: The tensors of `prepare`, or a function that reads them.

    Raises:
        UsageError: The network has no text tower, OpenCLIP or its tokenizer is not installed, or
            the tensors are not the contract's.
    """

    def __init__(
        self,
        contract: Contract,
        state: Mapping[str, torch.Tensor] | Callable[[], Mapping[str, torch.Tensor]],
    ) -> None:
        tensors = checked_state(state, contract.weights_sha256, contract.embedder_id)
        self._name = contract.name
        self._clip: Any = _filled(contract.network, tensors)
        self._tokens: Callable[[list[str]], torch.Tensor] = clip_tokenizer(contract.network)

    @property
    def scale(self) -> float:
        """What the network multiplies cosines by before its softmax over texts."""
        return float(self._clip.logit_scale.exp())

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Map texts to float32 (N, D), rows of length one."""
        found = []
        with torch.inference_mode():
            for start in range(0, len(texts), _AT_ONCE):
                tokens = self._tokens(list(texts[start : start + _AT_ONCE]))
                found.append(self._clip.encode_text(tokens, normalize=True).float().numpy())
        vectors = np.concatenate(found)
        check_finite(vectors, self._name)
        return vectors

    def words(self, words: Sequence[str], templates: Sequence[str] = TEMPLATES) -> np.ndarray:
        """Map words to float32 (W, D), rows of length one: each the mean of its prompts.

        Args:
            words: Names of subjects, without full stops.
            templates: Prompts with `{}` where the word goes.

        Source: Radford et al. 2021 (CLIP), 3.1.4: an ensemble over the space of embeddings.
        """
        prompts = [template.format(word) for word in words for template in templates]
        mean_WD = self.texts(prompts).reshape(len(words), len(templates), -1).mean(1)
        unit_WD: np.ndarray = mean_WD / np.linalg.norm(mean_WD, axis=1, keepdims=True)
        return unit_WD


def _filled(network: str, tensors: Mapping[str, torch.Tensor]) -> nn.Module:
    return fill(build_clip(network), tensors)
