"""A training loop that the executors' tests run: least squares by full-batch steps in float64."""

import os
import signal
from pathlib import Path

import torch

from artcluster.errors import StoreError
from artcluster.training.checkpoints import CheckpointClock
from artcluster.training.worker import Worker

STEPS = 12


def descend(worker: Worker) -> dict:
    """Fit a vector to the shards' mean, a step at a time, with a checkpoint every four steps."""
    saved = worker.load_checkpoint()
    began = saved["step"] if saved else 0
    mean = saved["mean"] if saved else torch.zeros(3, dtype=torch.float64)
    rows = sum(worker.shard_rows)
    for step in range(began, STEPS):
        gradient = torch.zeros(3, dtype=torch.float64)
        for shard in worker.shards.values():
            gradient += (mean - torch.from_numpy(shard.copy())).sum(0)
        mean = mean - 0.3 * worker.reduce(gradient) / rows
        if (step + 1) % 4 == 0:
            worker.save_checkpoint({"step": step + 1, "mean": mean}, {"step": step + 1})
    return {
        "mean": mean,
        "began": began,
        "rows": list(worker.shard_rows),
        "world": worker.world,
        "threads": torch.get_num_threads(),
    }


class DescendAndDie:
    """The same, and the last rank is killed once, after the checkpoint of step 8."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, worker: Worker) -> dict:
        save = worker.save_checkpoint

        def save_then_die(state, metrics):
            save(state, metrics)
            mark = self.folder / "killed"
            if state["step"] == 8 and worker.rank == worker.world - 1 and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)

        worker.save_checkpoint = save_then_die
        return descend(worker)


class StepUntilAsked:
    """Steps for ever; each rank notes its start, which must be its first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, worker: Worker) -> None:
        (self.folder / f"began-{worker.rank}").touch(exist_ok=False)
        clock = CheckpointClock(worker, interval_s=1e9)
        while True:
            if clock.due():
                worker.save_checkpoint({"step": 0}, {})
            (self.folder / "stepping").touch()


def refuse(worker: Worker) -> None:
    if worker.rank == worker.world - 1:
        raise StoreError("The store is full. Make room.")
    worker.reduce(torch.zeros(1))


def stumble(worker: Worker) -> None:
    raise ZeroDivisionError("of the test")
