"""Steps that the executors' tests run; importable by worker processes."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np

from artcluster.errors import ArchiveError
from artcluster.runtime.executor import Step


def widen() -> Callable[[int], dict]:
    return lambda number: {"number": number, "rows": np.full((3, 40_000), number, np.int32)}


def total() -> Callable[[dict], dict]:
    calls = []

    def apply(item: dict) -> dict:
        calls.append(item["number"])
        return {"number": item["number"], "sum": int(item["rows"].sum()), "pid": os.getpid()}

    return apply


def steps(**pool) -> list[Step]:
    return [Step("widen", widen), Step("total", total, **(pool or {"workers": (1, 1)}))]


def refuse() -> Callable[[int], int]:
    def apply(number: int) -> int:
        if number == 3:
            raise ArchiveError("The archive's bucket is gone. Look at its name.")
        return number

    return apply


def refuse_nothing() -> Callable[[int], int]:
    return lambda number: number


def stumble() -> Callable[[int], int]:
    def apply(number: int) -> int:
        if number == 3:
            return {}["missing"]
        return number

    return apply


def no_weights() -> Callable[[int], int]:
    raise ArchiveError("The weights are not there.")


class CrashOnce:
    """Kills its worker process the first time it sees a number."""

    def __init__(self, folder: Path, number: int, *, always: bool = False) -> None:
        self.folder, self.number, self.always = folder, number, always

    def __call__(self) -> Callable[[int], int]:
        return self.apply

    def apply(self, number: int) -> int:
        mark = self.folder / f"crashed-{number}"
        if number == self.number and (self.always or not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGSEGV)
        return number
