"""Steps that wait for a file which another process writes: they show what runs beside what."""

import os
import time
from collections.abc import Callable
from pathlib import Path

_LONGEST_S = 120


def wait_for(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _LONGEST_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.05)


class Mark:
    """Writes a file named for the item."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self) -> Callable[[int], int]:
        return self.apply

    def apply(self, number: int) -> int:
        (self.folder / f"decoded-{number}").touch()
        return number


class NeedNext(Mark):
    """Returns from item 0 once item 1 is marked."""

    def apply(self, number: int) -> int:
        if number == 0:
            wait_for((self.folder / "decoded-1").exists, "item 1 was not decoded meanwhile")
        return number


class Gather(Mark):
    """Returns once two processes are at work; tells which GPU this one was given."""

    def apply(self, number: int) -> tuple[int, str]:
        (self.folder / f"process-{os.getpid()}").touch()
        wait_for(lambda: len(list(self.folder.glob("process-*"))) >= 2, "only one process came")
        return number, os.environ["CUDA_VISIBLE_DEVICES"]


class Gate(Mark):
    """Lets items from a number on pass once a file is there."""

    def __init__(self, folder: Path, number: int) -> None:
        super().__init__(folder)
        self.number = number

    def apply(self, number: int) -> int:
        if number >= self.number:
            wait_for((self.folder / "open").exists, "the gate stayed shut")
        return number


def hang() -> Callable[[int], int]:
    def apply(number: int) -> int:
        if number == 2:
            time.sleep(3600)
        return number

    return apply
