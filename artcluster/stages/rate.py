"""How fast an embedder was, written down so that the next job can say how long it will take."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from artcluster.stages.job import Job
from artcluster.store import Store

_FEWEST = 50


@dataclass(frozen=True)
class Rate:
    """Images a second of a whole embedding job, start-up included."""

    images_per_s: float
    images: int
    cpus: float
    gpus: float
    at: str


def record_rate(job: Job, embedder_id: str, images: int, seconds: float) -> None:
    """Write down a job's rate; a job of a few images says nothing of the next."""
    if images < _FEWEST or seconds <= 0:
        return
    resources = job.executor.resources()
    rate = Rate(
        images / seconds,
        images,
        resources.cpus,
        resources.gpus,
        datetime.now(UTC).isoformat(timespec="seconds"),
    )
    job.store.write_bytes(_path(embedder_id), json.dumps(asdict(rate)).encode())


def read_rate(store: Store, embedder_id: str) -> Rate | None:
    """Return the rate of the last job with this embedder, or None."""
    path = _path(embedder_id)
    return Rate(**json.loads(store.read_bytes(path))) if store.exists(path) else None


def _path(embedder_id: str) -> str:
    return f"embedders/{embedder_id}/rate.json"
