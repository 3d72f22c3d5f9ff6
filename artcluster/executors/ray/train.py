"""Training over Ray Train: a process a rank, sums by torch.distributed, restarts after a death."""

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import ray
import ray.train
from ray.actor import ActorHandle
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig

from artcluster.errors import ArtclusterError, StepError, UsageError
from artcluster.executors.checkpoints import Checkpoints
from artcluster.executors.failure import Failure
from artcluster.executors.ray import private
from artcluster.executors.ray.coordinator import ResultSlot, ask
from artcluster.executors.ray.nodes import Nodes
from artcluster.executors.ray.placement import Node
from artcluster.executors.ray.steps import limit_threads
from artcluster.runtime.cancellation import Stop

if TYPE_CHECKING:
    from artcluster.location import Location
    from artcluster.training.worker import Worker

T = TypeVar("T")


_MOST_FAILURES = 3
_STOP_POLL_S = 0.5
_STOPPED = "stopped"
"""What rank 0 leaves instead of a result where the job was asked to end."""


@dataclass(frozen=True)
class _Rank:
    """What every rank is sent: small, for the arrays lie in the object store."""

    loop: "Callable[[Worker], Any]"
    data: Sequence[Any]
    checkpoints: Checkpoints
    coordinator: ActorHandle[Any]
    result_slot: str
    stop_slot: str
    threads: int


def train(
    loop: "Callable[[Worker], T]",
    data: Sequence[np.ndarray | Callable[[], np.ndarray]],
    *,
    workers: int,
    use_gpu: bool,
    name: str,
    checkpoint_uri: "str | Location",
    coordinator: ActorHandle[Any],
    stop: Stop,
) -> T:
    """Run a training loop on `workers` ranks; see `Executor.train`.

    Arrays among the shards go to the object store once; functions are called by the rank that owns
    the shard. What rank 0 returns comes back through the coordinator.

    Raises:
        StoppedError: The job was asked to end; the loop saved a checkpoint and ended.
    """
    checkpoints = Checkpoints.at(checkpoint_uri, name)
    share = _reserve(workers, use_gpu)
    result_slot = f"train-{uuid.uuid4().hex}"
    stop_slot = f"{result_slot}-stop"
    ray.get([coordinator.keep.remote(slot, ResultSlot()) for slot in (result_slot, stop_slot)])
    rank = _Rank(
        loop=loop,
        data=[shard if callable(shard) else ray.put(shard) for shard in data],
        checkpoints=checkpoints,
        coordinator=coordinator,
        result_slot=result_slot,
        stop_slot=stop_slot,
        threads=max(1, int(share["CPU"])),
    )
    filesystem, folder = checkpoints.place.child(name, "ray").arrow()
    trainer = private.trainer_class()(
        _run_rank,
        train_loop_config={"rank": rank},
        torch_config=TorchConfig(backend="nccl" if use_gpu else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=workers,
            use_gpu=use_gpu,
            resources_per_worker=share,
            placement_strategy="PACK" if use_gpu else "SPREAD",
        ),
        run_config=RunConfig(
            # Ray's own record of a run must not be found by the next of the same name: whether
            # there is something to go on from is for the checkpoint alone to say.
            name=result_slot,
            storage_path=folder,
            storage_filesystem=filesystem,
            failure_config=FailureConfig(max_failures=_MOST_FAILURES),
        ),
    )
    try:
        with stop.awaited(), _pass_on_stop(coordinator, stop_slot, stop):
            trainer.fit()
        answer = ask(coordinator, result_slot, "take")
    except Exception as error:
        answer = ask(coordinator, result_slot, "take")
        if not isinstance(answer, Failure):
            stop.check()
            raise _explained(error, name) from error
    finally:
        for slot in (result_slot, stop_slot):
            coordinator.drop.remote(slot)
        with contextlib.suppress(OSError):
            filesystem.delete_dir(folder)
    if isinstance(answer, Failure):
        raise answer.exception(repr(name))
    if answer == _STOPPED:
        stop.check()
    (result,) = answer
    return cast(T, result)


@contextlib.contextmanager
def _pass_on_stop(coordinator: ActorHandle[Any], stop_slot: str, stop: Stop) -> Iterator[None]:
    """Tell the ranks when the job is asked to end; a signal's handler must not call Ray itself."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(_STOP_POLL_S):
            if stop.asked:
                coordinator.call.remote(stop_slot, "put", True)
                return

    teller = threading.Thread(target=tell, name="artcluster-stop", daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def share_of_a_rank(workers: int, nodes: Sequence[Node]) -> float:
    """Return the CPUs that each rank reserves: as many whole ones as let all of them fit.

    Ranks spread over machines, and each computes with as many threads.

    >>> share_of_a_rank(4, [Node(64)] * 4), share_of_a_rank(2, [Node(2), Node(64)])
    (64.0, 32.0)
    >>> share_of_a_rank(8, [Node(2)])
    0.25
    """
    cpus = [node.cpus for node in nodes]
    for share in range(int(max(cpus, default=0)), 0, -1):
        if sum(int(count // share) for count in cpus) >= workers:
            return float(share)
    return int(100 * sum(cpus) / workers) / 100


def _reserve(workers: int, use_gpu: bool) -> dict[str, float]:
    """Return what one rank reserves, so that all of them fit.

    Raises:
        UsageError: There are to be no workers.
        ArtclusterError: The cluster has fewer GPUs than ranks.
    """
    if workers < 1:
        raise UsageError(f"Training needs at least one worker, got {workers}.")
    nodes = Nodes.now()
    gpus = nodes.resources().gpus
    if not use_gpu:
        return {"CPU": share_of_a_rank(workers, nodes.sizes)}
    if gpus < workers:
        raise ArtclusterError(
            f"Training asks for {workers} worker(s) with a GPU each, and the cluster has "
            f"{gpus:g} GPU(s). Ask for fewer workers, or train on CPUs."
        )
    with_gpus = [node for node in nodes.sizes if node.gpus]
    return {"CPU": min(1.0, share_of_a_rank(workers, with_gpus)), "GPU": 1.0}


def _run_rank(config: dict[str, _Rank]) -> None:
    """Run in the rank's process: load its shards, run the loop, leave rank 0's result."""
    from artcluster.executors.ray.worker import LostRankError, StoppedRankError

    sent = config["rank"]
    if ask(sent.coordinator, sent.result_slot, "is_full"):
        # The loop failed by itself, and Ray Train started it again: that would not mend it.
        return
    limit_threads(sent.threads)
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    try:
        result = sent.loop(_worker(sent, rank, world))
    except LostRankError:
        raise
    except StoppedRankError:
        # No failure: Ray Train would start the ranks again before it gives them up.
        if rank == 0:
            ask(sent.coordinator, sent.result_slot, "put", _STOPPED)
        return
    except Exception as error:
        ask(sent.coordinator, sent.result_slot, "put", Failure.of("train", error))
        raise
    if rank == 0:
        ask(sent.coordinator, sent.result_slot, "put", (result,))


def _worker(sent: _Rank, rank: int, world: int) -> "Worker":
    import torch
    from ray.train.torch import get_device

    from artcluster.executors.ray.worker import RayWorker

    shards = {
        number: shard() if callable(shard) else ray.get(shard)
        for number, shard in enumerate(sent.data)
        if number % world == rank
    }
    device = get_device()
    worker = RayWorker(
        rank=rank,
        world=world,
        device=device,
        shards=shards,
        shard_rows=(),
        checkpoints=sent.checkpoints,
        is_stopping=lambda: ask(sent.coordinator, sent.stop_slot, "is_full"),
    )
    rows = torch.zeros(len(sent.data), dtype=torch.int64, device=device)
    for number, shard in shards.items():
        rows[number] = len(shard)
    worker.shard_rows = worker.reduce(rows).tolist()
    return worker


def _explained(error: Exception, name: str) -> StepError:
    first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    raised = StepError(
        f"Training {name!r} was given up after {_MOST_FAILURES} new starts: {first.strip()} Its "
        "last checkpoint is kept: start the same command again."
    )
    raised.add_note(str(error))
    return raised
