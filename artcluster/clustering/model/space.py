"""The way from an embedder's vectors into the space that a model clusters in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from artcluster.clustering.chunks import row_chunks, row_products


@dataclass(frozen=True)
class UnitLength:
    """Scales each vector to Euclidean length one; a vector of zeros stays as it is."""

    kind = "unit-length"

    def __call__(self, x_ND: Tensor) -> Tensor:
        """Return the scaled vectors."""
        norms = torch.linalg.vector_norm(x_ND, dim=1, keepdim=True)
        return x_ND / torch.where(norms > 0, norms, 1.0)


@dataclass(frozen=True)
class Standardise:
    """Subtracts a mean and multiplies by a scale: (x − mean) · scale, coordinate by coordinate."""

    mean_D: Tensor
    scale_D: Tensor
    kind = "standardise"

    def __call__(self, x_ND: Tensor) -> Tensor:
        """Return the shifted and scaled vectors."""
        return (x_ND - self.mean_D) * self.scale_D


@dataclass(frozen=True)
class Dense:
    """Fully connected layers x·Wᵀ + b, with ReLU between them and none after the last.

    A single layer is a linear map, such as a projection on principal components.
    """

    layers: tuple[tuple[Tensor, Tensor], ...]
    kind = "dense"

    def __call__(self, x_ND: Tensor) -> Tensor:
        """Return the last layer's output."""
        for number, (weight, bias) in enumerate(self.layers):
            x_ND = row_products(bias, torch.relu(x_ND) if number else x_ND, weight)
        return x_ND


@dataclass(frozen=True)
class Softmax:
    """Turns numbers into shares that sum to one: exp(x) / Σ exp(x)."""

    kind = "softmax"

    def __call__(self, x_ND: Tensor) -> Tensor:
        """Return the shares."""
        return torch.softmax(x_ND, 1)


Step = UnitLength | Standardise | Dense | Softmax


@dataclass(frozen=True)
class ModelSpace:
    """Steps that lead from vectors of one embedder into a model's space; none is the identity.

    Attributes:
        dim: Length of the embedder's vectors.
        steps: Applied in order.
    """

    dim: int
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        width = self.dim
        for number, step in enumerate(self.steps):
            for takes, gives in _widths(step):
                if takes != width:
                    raise ValueError(
                        f"step {number} ({step.kind}) takes vectors of {takes} numbers, but gets "
                        f"{width}"
                    )
                width = gives

    @property
    def out_dim(self) -> int:
        """Length of vectors in the model's space."""
        widths = [gives for step in self.steps for _, gives in _widths(step)]
        return widths[-1] if widths else self.dim

    def __call__(self, x_ND: Tensor) -> Tensor:
        """Map float32 vectors (N, dim) into the model's space, (N, out_dim)."""
        for step in self.steps:
            x_ND = step(x_ND)
        return x_ND


def dense_space(
    layers: Sequence[tuple[Tensor, Tensor]], *, input_scale: float = 1.0, unit_length: bool = False
) -> ModelSpace:
    """Return the space of an encoder of fully connected layers.

    Args:
        layers: (weight, bias) of each layer, weights (out, in) as torch has them.
        input_scale: What vectors are multiplied by before the first layer.
        unit_length: Whether they are scaled to length one before that.

    Raises:
        ValueError: There is no layer, or one layer's output does not fit the next one's input.

    >>> dense_space([(torch.eye(2), torch.zeros(2)), (torch.ones(1, 2), torch.zeros(1))]).out_dim
    1
    """
    if not layers:
        raise ValueError("layers must hold at least one (weight, bias)")
    dim = layers[0][0].shape[1]
    steps: list[Step] = [UnitLength()] if unit_length else []
    if input_scale != 1.0:
        steps.append(Standardise(torch.zeros(dim), torch.full((dim,), float(input_scale))))
    plain = [(_plain(weight), _plain(bias)) for weight, bias in layers]
    return ModelSpace(dim, (*steps, Dense(tuple(plain))))


def space_to_parts(space: ModelSpace) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Take a space apart into what JSON holds and named float32 arrays."""
    kinds: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    for number, step in enumerate(space.steps):
        kinds.append({"kind": step.kind})
        if isinstance(step, Standardise):
            arrays[f"step.{number}.mean"] = _array(step.mean_D)
            arrays[f"step.{number}.scale"] = _array(step.scale_D)
        elif isinstance(step, Dense):
            kinds[-1]["layers"] = len(step.layers)
            for layer, (weight, bias) in enumerate(step.layers):
                arrays[f"step.{number}.layer.{layer}.weight"] = _array(weight)
                arrays[f"step.{number}.layer.{layer}.bias"] = _array(bias)
    return {"dim": space.dim, "steps": kinds}, arrays


def space_from_parts(parts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> ModelSpace:
    """Rebuild a space from its parts.

    Raises:
        ValueError: A step is of an unknown kind.
        KeyError: An array is missing.
    """

    def tensor(name: str) -> Tensor:
        return torch.from_numpy(np.array(arrays[name], dtype=np.float32))

    steps: list[Step] = []
    for number, step in enumerate(parts["steps"]):
        name = f"step.{number}"
        match step["kind"]:
            case UnitLength.kind:
                steps.append(UnitLength())
            case Softmax.kind:
                steps.append(Softmax())
            case Standardise.kind:
                steps.append(Standardise(tensor(f"{name}.mean"), tensor(f"{name}.scale")))
            case Dense.kind:
                layers = range(step["layers"])
                names = [f"{name}.layer.{layer}" for layer in layers]
                steps.append(
                    Dense(tuple((tensor(f"{one}.weight"), tensor(f"{one}.bias")) for one in names))
                )
            case unknown:
                known = (UnitLength.kind, Standardise.kind, Dense.kind, Softmax.kind)
                raise ValueError(f"step {number} is {unknown!r}; known are {', '.join(known)}")
    return ModelSpace(int(parts["dim"]), tuple(steps))


def _widths(step: Step) -> list[tuple[int, int]]:
    """(takes, gives) of each part of a step that is bound to a width."""
    if isinstance(step, Standardise):
        return [(step.mean_D.shape[0], step.scale_D.shape[0])]
    if isinstance(step, Dense):
        return [(weight.shape[1], bias.shape[0]) for weight, bias in step.layers]
    return []


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", torch.float32).contiguous()


def _array(tensor: Tensor) -> np.ndarray:
    return _plain(tensor).numpy()


_ROWS = 16384


def principal_space(x_ND: np.ndarray, components: int) -> ModelSpace:
    """Return the way from vectors to their centred directions, on at most so many components.

    Vectors are scaled to length one, centred, projected, and scaled to length one again: what two
    vectors have in common with all the others counts for nothing, and a distance between two of
    them is one of directions. Passed over in chunks, beside which memory is D² numbers.

    Args:
        x_ND: Vectors, finite.
        components: Most principal components; fewer where N or D are not larger, none being of no
            variance.

    Raises:
        ValueError: There are fewer than two vectors, all point one way, or values are so large
            that their squares overflow.

    >>> x = np.array([[3.0, 0.0, 1.0], [0.0, 2.0, 1.0], [5.0, 0.0, 1.0]], np.float32)
    >>> space = principal_space(x, 2)
    >>> z = space(torch.from_numpy(x))
    >>> z.shape, [round(length, 6) for length in z.norm(dim=1).tolist()]
    (torch.Size([3, 2]), [1.0, 1.0, 1.0])
    """
    count, dim = x_ND.shape
    if count < 2:
        raise ValueError(f"expected at least two vectors, got {count}")
    unit = UnitLength()
    total_D = torch.zeros(dim, dtype=torch.float64)
    for a, b in row_chunks(count, _ROWS):
        rows_BD = torch.from_numpy(np.array(x_ND[a:b], np.float32))
        if not bool(torch.isfinite(rows_BD.square().sum(1)).all()):
            raise ValueError("some vectors hold values whose squares overflow float32")
        total_D += unit(rows_BD).double().sum(0)
    mean_D = total_D / count
    scatter_DD = torch.zeros(dim, dim, dtype=torch.float64)
    for a, b in row_chunks(count, _ROWS):
        offset = unit(torch.from_numpy(np.array(x_ND[a:b], np.float32))).double() - mean_D
        scatter_DD.addmm_(offset.T, offset)
    variance_D, axes_DD = torch.linalg.eigh(scatter_DD / count)
    kept = int((variance_D > 1e-10 * variance_D[-1].clamp(min=1e-12)).sum())
    if not kept:
        raise ValueError("all vectors point one way: there is nothing to tell them apart by")
    axes_CD = axes_DD.flip(1)[:, : min(components, kept)].T
    # An axis has two directions: that of its largest number is taken.
    largest_C = axes_CD.gather(1, axes_CD.abs().argmax(1, keepdim=True))
    axes_CD = axes_CD * largest_C.sign()
    layer = (axes_CD.float().contiguous(), (-(axes_CD @ mean_D)).float())
    return ModelSpace(dim, (unit, Dense((layer,)), unit))
