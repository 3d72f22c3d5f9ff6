"""Training state as a flat dict of tensors, numbers and strings, and when to save it."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import nn

from artcluster.training.worker import Worker

State = dict[str, Any]


_IDENTITY = "identity"


_FREE = ("resident_bytes", "map_bytes", "chunk_rows", "checkpoint_interval_s", "checkpoint_steps")


def deciding(config: Any) -> dict[str, Any]:
    """Return the settings of a loop that change its result and are not at their default, by name.

    A checkpoint is found again by them, also once a release has brought new settings.

    Args:
        config: A dataclass.
    """
    return {
        field.name: value
        for field in fields(config)
        if field.name not in _FREE and (value := getattr(config, field.name)) != field.default
    }


def identity(stage: str, settings: Mapping[str, Any], shard_rows: Sequence[int]) -> str:
    """Name what a checkpoint is of: a stage, the settings that change its result, and the data.

    Example:
        >>> identity("dec", {"seed": 0}, [3, 4])
        'dec {"rows": [2, "21fa2e"], "seed": 0}'
    """
    rows = hashlib.sha256(json.dumps(list(shard_rows)).encode()).hexdigest()[:6]
    described = {**settings, "rows": [len(shard_rows), rows]}
    return f"{stage} {json.dumps(described, sort_keys=True)}"


def load_state(worker: Worker, expected: str) -> State | None:
    """Return the job's last state, or None at a first start.

    Raises:
        ValueError: It is a state of something else.
    """
    state = worker.load_checkpoint()
    if state is not None and state.get(_IDENTITY) != expected:
        raise ValueError(
            f"the checkpoint under this job's name is of {state.get(_IDENTITY)!r}, expected "
            f"{expected!r}: give a job with other settings or data a name of its own"
        )
    return state


def save_state(
    worker: Worker,
    named: str,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: State,
    metrics: Mapping[str, float],
) -> None:
    """Save rank 0's module, optimiser and progress. Every rank calls it; the others copy nothing.

    Args:
        worker: This rank.
        named: What `identity` returned.
        module: What is trained.
        optimizer: Over its parameters.
        progress: What else the loop needs to go on.
        metrics: Numbers to show beside the checkpoint.
    """
    state = {_IDENTITY: named, **pack(module, optimizer), **progress} if worker.rank == 0 else {}
    worker.save_checkpoint(state, metrics)


def pack(module: nn.Module, optimizer: torch.optim.Optimizer) -> State:
    """Copy a module's and its optimiser's state to flat, named CPU tensors."""
    state: State = {f"module/{name}": _copy(value) for name, value in module.state_dict().items()}
    for number, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            state[f"optimizer/{number}/{name}"] = _copy(torch.as_tensor(value))
    return state


def unpack(state: State, module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Load what `pack` copied."""
    module.load_state_dict(module_state(state))
    slots: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in state.items():
        if key.startswith("optimizer/"):
            _, number, name = key.split("/")
            slots.setdefault(int(number), {})[name] = value.clone()
    optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})


def module_state(state: State) -> dict[str, torch.Tensor]:
    """Return the module's part of a packed state."""
    prefix = "module/"
    return {
        key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)
    }


def _copy(value: torch.Tensor) -> torch.Tensor:
    return value.detach().to("cpu", copy=True)


class CheckpointClock:
    """Says when a checkpoint is due, the same on every rank: saving is a barrier.

    Args:
        worker: Rank 0's clock counts.
        interval_s: Seconds between checkpoints.
        now: The clock.
    """

    def __init__(
        self, worker: Worker, interval_s: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._worker = worker
        self._interval_s = interval_s
        self._now = now
        self._last = now()

    def due(self) -> bool:
        """Tell whether to save now; every rank asks at the same step."""
        elapsed = self._now() - self._last >= self._interval_s or self._worker.stop_asked()
        if self._worker.world > 1:
            vote = torch.tensor(
                float(elapsed and self._worker.rank == 0), device=self._worker.device
            )
            elapsed = self._worker.reduce(vote).item() > 0
        if elapsed:
            self._last = self._now()
        return elapsed
