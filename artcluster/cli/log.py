"""How a job's log is written: for people, or a JSON object a line for programs that collect it."""

import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import click

_EVERY_S = 10.0
_format: ContextVar[str] = ContextVar("log_format", default="text")


def _choose(_context: click.Context, _option: click.Parameter, value: str) -> None:
    _format.set(value)


log_option = click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    envvar="ARTCLUSTER_LOG_FORMAT",
    show_envvar=True,
    expose_value=False,
    callback=_choose,
    help="json: standard error has an object a line, one for every part and commit.",
)


def reset_log() -> None:
    """Forget what an earlier command line of this process chose."""
    _format.set("text")


def wants_json_log() -> bool:
    """Tell whether this command's log is for programs."""
    return _format.get() == "json"


def write_event(event: str, fields: Mapping[str, Any], level: str = "info") -> None:
    """Write one line; secrets in texts are redacted."""
    from artcluster.location.redaction import redact

    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    shown = {
        name: redact(value) if isinstance(value, str) else value for name, value in fields.items()
    }
    line = json.dumps({"at": at, "level": level, "event": event, **shown}, default=str)
    print(line, file=sys.stderr, flush=True)  # noqa: T201


class _Lines(logging.Handler):
    """Writes what the project's loggers are told."""

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname.lower()
        fields = getattr(record, "fields", None)
        if fields is not None:
            write_event(record.getMessage(), fields, level)
        else:
            write_event("message", {"text": record.getMessage(), "logger": record.name}, level)


@contextmanager
def json_lines() -> Iterator[None]:
    """Write what is logged as JSON while this lasts."""
    logger, lines = logging.getLogger("artcluster"), _Lines()
    before = logger.level, logger.propagate
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(lines)
        logger.setLevel(before[0])
        logger.propagate = before[1]


class JsonProgress:
    """A line at a stage's start and end, and one every ten seconds between."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._count: dict[str, int] = {}
        self._of: dict[str, dict[str, Any]] = {}
        self._last = 0.0

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """Tell that a stage begins."""
        self._began[stage] = self._last = time.monotonic()
        self._count[stage], self._of[stage] = 0, {"stage": stage, "unit": unit, "total": total}
        write_event("stage began", self._of[stage])

    def advance(self, stage: str, count: int) -> None:
        """Tell how far a stage is, where ten seconds have passed."""
        self._count[stage] += count
        now = time.monotonic()
        if now - self._last >= _EVERY_S:
            self._last = now
            per_s = self._count[stage] / max(now - self._began[stage], 1e-9)
            done = {"done": self._count[stage], "per_s": round(per_s, 2)}
            write_event("progress", self._of[stage] | done)

    def finish(self, stage: str) -> None:
        """Tell what a stage did and how long it took."""
        seconds = round(time.monotonic() - self._began[stage], 3)
        write_event(
            "stage ended", {**self._of[stage], "done": self._count[stage]} | {"seconds": seconds}
        )

    def say(self, message: str) -> None:
        """Write a message for people."""
        write_event("message", {"text": message})
