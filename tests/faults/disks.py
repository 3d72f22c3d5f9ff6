"""A disk that fills up: a small file system in memory, made larger afterwards."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from artcluster.location import Location
from artcluster.store import Store
from tests.faults.driver import Driver, finished
from tests.faults.outcome import Outcome, doubled, lost
from tests.faults.reader import watched
from tests.workflows.jobs import copy_pictures

SIZES_KIB = (64, 160, 256, 352)


class NoMountError(Exception):
    """This user may not mount a file system."""


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a file system of 64 KiB.

    Raises:
        NoMountError: This user may not.
    """
    folder.mkdir()
    options = f"size={SIZES_KIB[0]}k"
    arguments = ["mount", "-t", "tmpfs", "-o", options, "artcluster-test", str(folder)]
    done = subprocess.run(arguments, capture_output=True, check=False)
    if done.returncode:
        raise NoMountError(done.stderr.decode().strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def resize(folder: Path, size_kib: int) -> None:
    options = f"remount,size={size_kib}k"
    subprocess.run(["mount", "-o", options, str(folder)], check=True)


def disk_fills_up(folder: Path, times: int) -> Outcome:
    """Embed onto a disk that is too small; give it some more each time."""
    images = folder / "images"
    copy_pictures(images, 24)
    with small_disk(folder / "disk") as disk:
        store = disk / "store"
        with watched(Location.parse(store), folder / "reader.json") as seen:
            filled = 0
            for size_kib in SIZES_KIB[:times]:
                resize(disk, size_kib)
                driver = Driver("run", images, store, log=folder / "driver.log")
                code = driver.end()
                text = driver.text()
                assert code == 1, text[-4000:]
                assert "The disk is full" in text or "No space left" in text, text[-4000:]
                filled += 1
            resize(disk, 64 << 10)
            recovery_s = finished(Driver("run", images, store, log=folder / "driver.log"))
        opened = Store.open(store)
        return Outcome(
            "the disk is full",
            filled,
            lost(opened, images),
            doubled(opened),
            len(seen.wrong),
            recovery_s,
            "exit code 1 and a message that says so; with more room the same command goes on; a "
            f"reader looked {seen.polls} times",
        )
