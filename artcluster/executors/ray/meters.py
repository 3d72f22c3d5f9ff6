"""Numbers of a job, shown by the metrics port of the Ray cluster that it runs on."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from artcluster.runtime.progress import Meter

if TYPE_CHECKING:  # importing ray takes seconds
    from ray.util.metrics import Counter, Gauge

_REFRESH_S = 5.0
"""Ray drops a gauge that was not set for two of its reports, 20 s; the age of the last commit is
wanted most when nothing happens any more."""


class RayMeters:
    """Numbers of this driver; Ray puts `ray_` before their names.

    A cluster that this process starts for itself has no agent: there they go nowhere.

    Args:
        joined: Whether a cluster is there; until it is, numbers are dropped.
    """

    def __init__(self, joined: Callable[[], bool]) -> None:
        self._joined = joined
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._values: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        self._refreshing: threading.Thread | None = None

    def add(self, meter: Meter, value: float, **labels: str) -> None:
        """Let a counter grow."""
        if value <= 0 or not self._joined():
            return
        from ray.util.metrics import Counter

        if meter.name not in self._counters:
            self._counters[meter.name] = Counter(meter.name, meter.description, meter.labels)
        self._counters[meter.name].inc(value, labels)

    def set(self, meter: Meter, value: float, **labels: str) -> None:
        """Set a gauge, which stays until it is set again."""
        if not self._joined():
            return
        from ray.util.metrics import Gauge

        if meter.name not in self._gauges:
            self._gauges[meter.name] = Gauge(meter.name, meter.description, meter.labels)
        self._gauges[meter.name].set(value, labels)
        self._values[meter.name, tuple(labels.items())] = value
        if self._refreshing is None:
            self._refreshing = threading.Thread(
                target=self._refresh, name="artcluster-meters", daemon=True
            )
            self._refreshing.start()

    def _refresh(self) -> None:
        pause = threading.Event()
        while not pause.wait(_REFRESH_S) and self._joined():
            for (name, labels), value in list(self._values.items()):
                self._gauges[name].set(value, dict(labels))
