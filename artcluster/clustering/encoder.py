"""DEC's dense autoencoder: widths 1024-500-500-2000-10 for DELIUS, and their mirror."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
import torch
from torch import nn

Initialisation = Literal["glorot", "normal-0.01"]


class DenseEncoder(nn.Module):
    """Fully connected encoder: ReLU between the layers, a linear code.

    Args:
        widths: Length of the vectors, the hidden layers' widths, length of the code.

    Raises:
        ValueError: There are fewer than two widths, or one is below 1.

    Source: Xie et al. 2016, §4.3; Castellano and Vessio 2021 (DELIUS), §3.3. DEC's authors scale a
    data set so that ‖x‖²/D averages one. `input_scale` is that factor and belongs to the network,
    so that it is always given vectors as the embedder made them.
    """

    input_scale: torch.Tensor

    def __init__(self, widths: Sequence[int]) -> None:
        if len(widths) < 2 or min(widths) < 1:
            raise ValueError(f"expected two or more widths of at least 1, got {tuple(widths)}")
        super().__init__()
        self.layers = _dense_layers(widths)
        self.register_buffer("input_scale", torch.ones(()))

    def forward(self, x_ND: torch.Tensor) -> torch.Tensor:
        """Return the codes (N, last width) of vectors as the embedder made them."""
        code: torch.Tensor = self.layers(x_ND * self.input_scale)
        return code


class DenseAutoencoder(nn.Module):
    """A dense encoder and its mirror, a decoder with a linear output.

    Source: Xie et al. 2016, §4.3; Castellano and Vessio 2021 (DELIUS), §3.3 and §4.2.

    Args:
        widths: Those of the encoder; the decoder has them in reverse.
        initialisation: `glorot`, Keras's default: Glorot-uniform weights. `normal-0.01`, the
            papers': weights from N(0, 0.01²), which starts the code and its gradient near zero
            and needs tens of thousands of steps; on an archive of some hundred images it may
            never leave there, and then all clusters collapse into one. Biases are zero in both.
        seed: Seeds the weights.

    Raises:
        ValueError: A width is below 1, or the initialisation is unknown.
    """

    def __init__(
        self, widths: Sequence[int], *, initialisation: Initialisation = "glorot", seed: int = 0
    ) -> None:
        if initialisation not in get_args(Initialisation):
            raise ValueError(
                f"initialisation must be one of {', '.join(get_args(Initialisation))}, got "
                f"{initialisation!r}"
            )
        super().__init__()
        self.encoder = DenseEncoder(widths)
        self.decoder = _dense_layers(widths[::-1])
        generator = torch.Generator().manual_seed(seed)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                if initialisation == "glorot":
                    nn.init.xavier_uniform_(layer.weight, generator=generator)
                else:
                    nn.init.normal_(layer.weight, std=0.01, generator=generator)
                nn.init.zeros_(layer.bias)

    def forward(self, x_ND: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode and reconstruct.

        Returns:
            The codes, and the reconstruction (N, D) of `input_scale · x`.
        """
        code: torch.Tensor = self.encoder(x_ND)
        return code, self.decoder(code)


def encoder_from_state(state: Mapping[str, torch.Tensor]) -> DenseEncoder:
    """Rebuild an encoder from its state dict, or from that of an autoencoder around it.

    Widths and dtype are those of the weights.

    Raises:
        ValueError: The state is not that of a dense encoder.
    """
    prefix = "encoder."
    if any(name.startswith(prefix) for name in state):
        state = {
            name.removeprefix(prefix): tensor
            for name, tensor in state.items()
            if name.startswith(prefix)
        }
    weights = [tensor for name, tensor in _in_order(state) if name.endswith(".weight")]
    if not weights or "input_scale" not in state:
        raise ValueError(
            "expected the state dict of a dense encoder, with layers.*.weight and input_scale; "
            f"got the keys {sorted(state)}"
        )
    encoder = DenseEncoder([weights[0].shape[1], *(weight.shape[0] for weight in weights)])
    encoder.to(weights[0].dtype).load_state_dict(dict(state))
    return encoder


def encode(
    encoder: nn.Module, x_ND: np.ndarray, *, device: torch.device, chunk_rows: int = 8192
) -> np.ndarray:
    """Encode vectors a chunk at a time, so that only a chunk's activations exist at once.

    Args:
        encoder: Moved to `device`; its weights' dtype is computed in.
        x_ND: Vectors as the embedder made them; may be memory-mapped.
        device: Where to compute.
        chunk_rows: Vectors at a time.

    Returns:
        (N, code), of the weights' dtype.
    """
    dtype = next(encoder.parameters()).dtype
    encoder.to(device).eval()
    codes = []
    with torch.inference_mode():
        for start in range(0, max(1, len(x_ND)), chunk_rows):
            chunk = torch.tensor(x_ND[start : start + chunk_rows], dtype=dtype, device=device)
            codes.append(encoder(chunk).cpu().numpy())
    return np.concatenate(codes)


def mean_square_scale(square_sum: float, elements: int) -> float:
    """Return the factor that brings ‖x‖²/D to an average of one over a data set.

    Args:
        square_sum: Sum of all squared elements of the data set.
        elements: Number of its elements, N·D.

    Returns:
        1 for a data set of zeros alone, which no factor can scale.

    Raises:
        ValueError: The sum is not finite.

    Source:
        Xie et al. 2016, §4.3: "we normalize all datasets so that ‖x‖²/d is approximately 1".

    Example:
        >>> mean_square_scale(square_sum=400.0, elements=100)
        0.5
    """
    if not math.isfinite(square_sum):
        raise ValueError(
            "expected vectors of finite numbers, got some that are infinite or not a number: "
            "embed those images again"
        )
    return math.sqrt(elements / square_sum) if square_sum > 0 else 1.0


def _dense_layers(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


def _in_order(state: Mapping[str, torch.Tensor]) -> list[tuple[str, torch.Tensor]]:
    layers = [(name, tensor) for name, tensor in state.items() if name.startswith("layers.")]
    return sorted(layers, key=lambda item: int(item[0].split(".")[1]))
