"""A network's tensors by name: their hash, their bytes, and picking the ones a network needs."""

import hashlib
import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from artcluster.errors import UsageError

if TYPE_CHECKING:
    import torch

State: TypeAlias = "Mapping[str, torch.Tensor]"


def state_sha256(state: State) -> str:
    """Return the SHA-256 of names, types, shapes and values, whatever file they came in.

    >>> import torch
    >>> a, b = torch.zeros(2), torch.ones(1)
    >>> state_sha256({"a": a, "b": b}) == state_sha256({"b": b, "a": a})
    True
    """
    import torch

    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def checked_state(
    state: "State | Callable[[], State]", weights_sha256: str, embedder_id: str
) -> State:
    """Return an embedder's tensors, read if need be, once their hash is checked.

    Raises:
        UsageError: They are others than the contract's.
    """
    tensors = state() if callable(state) else state
    got = state_sha256(tensors)
    if got != weights_sha256:
        raise UsageError(
            f"these tensors have SHA-256 {got}, the contract of {embedder_id} has "
            f"{weights_sha256}: hand in the tensors that prepare returned with it"
        )
    return tensors


def save_state(state: State) -> bytes:
    """Return the tensors as the bytes of a safetensors file."""
    import safetensors.torch

    return safetensors.torch.save({k: v.contiguous() for k, v in state.items()})


def load_state(data: bytes) -> "dict[str, torch.Tensor]":
    """Read what `save_state` wrote."""
    import safetensors.torch

    return safetensors.torch.load(data)


def read_tensors(data: bytes, what: str) -> "dict[str, torch.Tensor]":
    """Read the tensors of a safetensors or PyTorch file without running any code in it.

    A dict that holds the tensors under `state_dict`, `model` or `network` is opened, and the
    prefix `module.` of data-parallel training dropped.

    Args:
        what: Names the file in errors.

    Raises:
        UsageError: The file is neither, is broken, or holds other objects than tensors.
    """
    import torch
    from safetensors import SafetensorError

    if data[8:9] == b"{":
        try:
            return load_state(data)
        except SafetensorError as error:
            raise UsageError(f"{what} is a broken safetensors file: {error}") from error
    try:
        found = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # Foreign bytes: torch raises what the opcode at fault raises.
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UsageError(
            f"{what} cannot be read as weights: expected a safetensors file, or a PyTorch file "
            f"of tensors alone ({reason}). A pickle of whole objects is never "
            "opened: save its state_dict() as safetensors"
        ) from error
    for key in ("state_dict", "model", "network"):
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    tensors = (
        {str(k).removeprefix("module."): v for k, v in found.items() if torch.is_tensor(v)}
        if isinstance(found, Mapping)
        else {}
    )
    if not tensors:
        raise UsageError(f"{what} holds no tensors by name: expected a state dict")
    return tensors


def select_tensors(
    state: State,
    expected: Mapping[str, tuple[int, ...]],
    what: str,
    rename: Callable[[str], str] = str,
) -> "dict[str, torch.Tensor]":
    """Pick the tensors that a network needs and leave the rest, such as a classifier's.

    Args:
        state: The tensors found.
        expected: Names and shapes of the tensors needed.
        what: Names the weights in errors.
        rename: Maps a name found to a name expected.

    Returns:
        The expected tensors, floating ones as float32.

    Raises:
        UsageError: Tensors are missing or of another shape; names them.
    """
    found = {rename(name): tensor for name, tensor in state.items()}
    missing = [name for name in expected if name not in found]
    if missing:
        raise UsageError(
            f"{what} lacks {len(missing)} of {len(expected)} tensors: {_some(missing)}; "
            f"it has {_some(sorted(found))}. Is it of this network?"
        )
    misshapen = [
        f"{name} {tuple(found[name].shape)} where {shape} was expected"
        for name, shape in expected.items()
        if tuple(found[name].shape) != shape
    ]
    if misshapen:
        raise UsageError(f"{what} has tensors of other shapes: {_some(misshapen)}")
    picked = {name: found[name].detach().cpu() for name in expected}
    return {
        name: (tensor.float() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in picked.items()
    }


def _some(names: list[str], limit: int = 5) -> str:
    rest = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + rest
