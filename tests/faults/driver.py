"""A driver in a process of its own, to be killed, stopped, or raced."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
QUICK = {
    "embed.backbone": "color-histogram",
    "embed.part_images": 2,
    "embed.commit_every_images": 4,
    "cluster.method": "kmeans",
    "cluster.k": 2,
}


class Driver:
    """`artcluster VERB …` with quick settings, in its own session, its output in a file."""

    def __init__(
        self,
        verb: str,
        *arguments: object,
        log: Path,
        settings: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
        on: str = "in-process",
        program: str = "artcluster",
    ) -> None:
        given = {**QUICK, **(settings or {})}
        sets: Sequence[str] = [
            argument for name, value in given.items() for argument in ("--set", f"{name}={value}")
        ]
        executor = [] if verb == "vacuum" else ["--executor", on]
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", program, verb, *map(str, arguments)),
                    *(*executor, *sets, "--json"),
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Signal the driver alone, not the decoders that it started."""
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """Kill it and wait."""
        self.send(signal.SIGKILL)
        self.process.wait()

    def end(self) -> int:
        """Wait for its end; return its exit code."""
        return self.process.wait(timeout=280)

    def text(self) -> str:
        """Return what it printed."""
        return self.log.read_text(errors="replace")


def finished(driver: Driver) -> float:
    """Wait for a driver that must succeed; return the seconds that it took from now."""
    began = time.monotonic()
    code = driver.end()
    assert code == 0, driver.text()[-4000:]
    return time.monotonic() - began
