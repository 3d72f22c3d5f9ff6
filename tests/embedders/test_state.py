import io
import pickle
from typing import Any

import pytest
import torch

from artcluster.embedders.state import (
    load_state,
    read_tensors,
    save_state,
    select_tensors,
    state_sha256,
)
from artcluster.errors import UsageError

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([1, 2])}


def _torch_file(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


class Trap:
    """Unpickling it would run code."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("a pickle was opened",)


def test_safetensors_round_trip_keeps_the_hash() -> None:
    back = load_state(save_state(STATE))
    assert state_sha256(back) == state_sha256(STATE)


def test_hash_sees_values_names_shapes_and_types() -> None:
    one = torch.arange(6.0)
    variants = [
        {"a": one},
        {"b": one},
        {"a": one + 1},
        {"a": one.reshape(2, 3)},
        {"a": one.reshape(3, 2)},
        {"a": one.double()},
        {"a": one, "b": one},
        {},
    ]
    assert len({state_sha256(state) for state in variants}) == len(variants)


def test_hash_is_of_values_not_of_memory() -> None:
    matrix = torch.arange(6.0).reshape(2, 3)
    transposed = matrix.t().contiguous().t()
    assert state_sha256({"a": transposed}) == state_sha256({"a": matrix})


@pytest.mark.parametrize(
    "value",
    [
        STATE,
        {"state_dict": STATE, "epoch": 3},
        {"model": {f"module.{k}": v for k, v in STATE.items()}},
    ],
    ids=["plain", "wrapped", "data-parallel"],
)
def test_torch_files_are_read(value: Any) -> None:
    read = read_tensors(_torch_file(value), "w.pth")
    assert state_sha256(read) == state_sha256(STATE)


@pytest.mark.parametrize(
    "data",
    [
        _torch_file({"a": Trap()}),
        pickle.dumps(Trap()),
        pickle.dumps({"a": Trap()}, protocol=0),
        b"",
        b"not weights at all",
        save_state(STATE)[:-4],
        _torch_file(STATE)[:-40],
        _torch_file({"lr": 0.1}),
        _torch_file([1, 2]),
    ],
    ids=[
        "trap in torch file",
        "trap",
        "old trap",
        "empty",
        "text",
        "cut safetensors",
        "cut torch file",
        "no tensors",
        "list",
    ],
)
def test_other_files_are_refused_and_run_no_code(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"^w\.pth "):
        read_tensors(data, "w.pth")


def test_extra_tensors_are_left_and_halves_become_float32() -> None:
    found = {"a.weight": torch.ones(2, 3, dtype=torch.float16), "classifier.weight": torch.ones(9)}
    picked = select_tensors(found, {"a.weight": (2, 3)}, "w")
    assert list(picked) == ["a.weight"]
    assert picked["a.weight"].dtype == torch.float32


def test_missing_and_misshapen_tensors_are_named() -> None:
    with pytest.raises(UsageError, match=r"lacks 1 of 2 tensors: b\.weight; it has a\.bias"):
        select_tensors(STATE, {"a.weight": (2, 3), "b.weight": (1,)}, "w")
    with pytest.raises(UsageError, match=r"a\.weight \(2, 3\) where \(3, 2\) was expected"):
        select_tensors(STATE, {"a.weight": (3, 2)}, "w")
