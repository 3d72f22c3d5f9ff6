"""A job's numbers, given to Ray, whose agents on every machine serve them to Prometheus."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from artcluster.stages.meters import Meter

if TYPE_CHECKING:
    from ray.util.metrics import Counter, Gauge


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

    def add(self, meter: Meter, value: float, **labels: str) -> None:
        """Let a counter grow."""
        if value <= 0 or not self._joined():
            return
        from ray.util.metrics import Counter

        if meter.name not in self._counters:
            self._counters[meter.name] = Counter(meter.name, meter.description, meter.labels)
        self._counters[meter.name].inc(value, labels)

    def set(self, meter: Meter, value: float, **labels: str) -> None:
        """Set a gauge."""
        if not self._joined():
            return
        from ray.util.metrics import Gauge

        if meter.name not in self._gauges:
            self._gauges[meter.name] = Gauge(meter.name, meter.description, meter.labels)
        self._gauges[meter.name].set(value, labels)
