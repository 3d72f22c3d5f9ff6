"""Carry decoded parts from a task to an actor through Ray's object store.

Work: 40 parts of 300 × 224 × 224 × 3 uint8 (45 MB each) go from a task that makes them (a constant
array, so that hardly anything but the carrying is measured) to an actor that adds up every 4096th
byte, and its number comes back. The time counts from the first result to the last; contenders take
turns within one Ray of two CPUs, three rounds, the best round counts.

Peers, in plain Ray Data with one row a block as well: a numpy array as Ray's tensor column (its
default), and a pickle as a binary column.
"""

import argparse
import json
import os
import pickle
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np

from artcluster.executors.ray.executor import RayExecutor
from artcluster.runtime.executor import Step

RESULT = Path(__file__).parent / "results" / "transport.json"
SHAPE = (300, 224, 224, 3)
EVERY = 4096


def make_part() -> Callable[[int], np.ndarray]:
    return lambda number: np.full(SHAPE, number % 251, np.uint8)


def add_up() -> Callable[[np.ndarray], int]:
    return lambda pixels: int(pixels.ravel()[::EVERY].sum())


def ours(executor: RayExecutor, parts: int) -> Iterator[int]:
    steps = [Step("decode", make_part), Step("embed", add_up, workers=(1, 1))]
    yield from executor.stream(range(parts), steps, stall_timeout_s=300)


class AddTensor:
    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        return {"sum": [add_up()(batch["pixels"][0])]}


class AddPickle:
    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        return {"sum": [add_up()(pickle.loads(batch["pixels"][0]))]}


def by_ray_data(make: Callable[[Any], Any], add: type, parts: int) -> Iterator[int]:
    import ray.data

    numbers = [{"number": number} for number in range(parts)]
    dataset = (
        ray.data.from_items(numbers, override_num_blocks=parts)
        .map_batches(make, batch_size=1, num_cpus=0.99)
        .map_batches(
            add,
            batch_size=1,
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=1),
        )
    )
    for row in dataset.iter_rows():
        yield row["sum"]


def tensor_column(_: RayExecutor, parts: int) -> Iterator[int]:
    def make(batch: dict[str, np.ndarray]) -> dict[str, Any]:
        return {"pixels": make_part()(int(batch["number"][0]))[None]}

    yield from by_ray_data(make, AddTensor, parts)


def pickle_column(_: RayExecutor, parts: int) -> Iterator[int]:
    def make(batch: dict[str, np.ndarray]) -> dict[str, Any]:
        return {"pixels": [pickle.dumps(make_part()(int(batch["number"][0])), protocol=5)]}

    yield from by_ray_data(make, AddPickle, parts)


CONTENDERS = {"artcluster": ours, "tensor column": tensor_column, "pickle column": pickle_column}


def steady_seconds(results: Iterator[int], parts: int) -> float:
    """Return the seconds from the first result to the last, and check that all are right."""
    found = [next(results)]
    began = time.perf_counter()
    found.extend(results)
    seconds = time.perf_counter() - began
    looked_at = -(-int(np.prod(SHAPE)) // EVERY)
    assert sorted(found) == sorted(number % 251 * looked_at for number in range(parts))
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    megabytes = (arguments.parts - 1) * np.prod(SHAPE) / 1e6
    best = dict.fromkeys(CONTENDERS, float("inf"))
    with RayExecutor(cpus=2) as executor:
        executor.resources()
        import ray.data

        ray.data.DataContext.get_current().enable_progress_bars = False
        for _ in range(arguments.rounds):
            for name, contender in CONTENDERS.items():
                seconds = steady_seconds(contender(executor, arguments.parts), arguments.parts)
                best[name] = min(best[name], seconds)
        version = ray.__version__
    table = {name: {"mb_per_s": round(megabytes / seconds)} for name, seconds in best.items()}
    RESULT.write_text(
        json.dumps(
            {
                "work": {"parts": arguments.parts, "shape": SHAPE, "rounds": arguments.rounds},
                "machine": {"processor": platform.processor(), "cpus": os.cpu_count()},
                "versions": {"ray": version, "numpy": np.__version__},
                "results": table,
            },
            indent=2,
        )
        + "\n"
    )
    for name, row in table.items():
        print(f"{name:16} {row['mb_per_s']:8} MB/s")


if __name__ == "__main__":
    main()
