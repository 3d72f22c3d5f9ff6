"""What the server knows: the store, the search over it, and small copies of pictures."""

import io
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from PIL import Image

from artcluster.clustering.model import ClusterModel
from artcluster.config import Config
from artcluster.stages.assignments import load_model
from artcluster.stages.pictures import Pictures
from artcluster.stages.shown import ShownRun, choose_run, open_shown
from artcluster.stages.similar import Similar, SimilarPictures
from artcluster.store import Store

_FRESH_S = 10.0
_CACHED = 4096


@dataclass(frozen=True)
class Cluster:
    """Where a new picture belongs.

    Attributes:
        cluster: Its cluster's number, as people see it.
        name: The cluster's name; '' without one.
        confidence: Student-t membership, 0 to 1.
        outlier: Whether it lies beyond the cluster's own pictures.
    """

    cluster: int
    name: str
    confidence: float
    outlier: bool


class Live:
    """Answers questions about one store. Threads may share it.

    Args:
        store: The store.
        similar: The search over the vectors of the run's embedder.
        pictures: Reads originals and makes small copies.
        config: Every setting.
        run: The run that is shown.
    """

    def __init__(
        self,
        store: Store,
        similar: SimilarPictures,
        pictures: Pictures,
        config: Config,
        run: ShownRun,
    ) -> None:
        self.run = run
        self._store = store
        self._similar = similar
        self._pictures = pictures
        self._config = config
        self._lock = threading.Lock()
        self._looked = time.monotonic()
        self._copies: OrderedDict[str, bytes | None] = OrderedDict()
        self._uris: OrderedDict[str, str] = OrderedDict()

    def similar(self, name: str, top: int) -> Similar | None:
        """Return the neighbours of a picture of the store; None where there is no such picture."""
        with self._lock:
            self._refresh()
            answer = self._similar.ask_inside(name, top)
            if answer is not None:
                self._remember(answer)
            return answer

    def uploaded(self, data: bytes, top: int) -> tuple[Similar, Cluster | None]:
        """Return neighbours and cluster of a picture that is handed in; nothing of it is kept."""
        with self._lock:
            self._refresh()
            answer, vector = self._similar.ask_bytes("your picture", data, top)
            self._remember(answer)
            if vector is None:
                return answer, None
            found = self._model.predict(vector[None])
            cluster, name = self._shown_cluster(int(found.cluster[0]))
        confidence = round(float(found.confidence[0]), 4)
        return answer, Cluster(cluster, name, confidence, bool(found.outlier[0]))

    def some(self, count: int) -> Sequence[tuple[str, str]]:
        """Return content_id and path of some pictures, to begin with: one a cluster first."""
        with open_shown(self._store, self.run, self._config) as tables:
            rows = tables.execute(
                "SELECT content_id, path, uri FROM (SELECT *, row_number() OVER "
                "(PARTITION BY cluster ORDER BY distance, path) AS nth FROM shown) "
                "WHERE nth <= 40 ORDER BY nth, path LIMIT ?",
                [count],
            ).fetchall()
        with self._lock:
            self._uris.update((content_id, uri) for content_id, _, uri in rows)
        return [(content_id, path) for content_id, path, _ in rows]

    def copy(self, content_id: str) -> bytes | None:
        """Return a small copy of a picture of the store, as WebP; None where there is none."""
        with self._lock:
            if content_id in self._copies:
                self._copies.move_to_end(content_id)
                return self._copies[content_id]
            uri = self._uris.get(content_id) or self._similar.uri_of(content_id)
        picture = None if uri is None else self._pictures.at(uri).image
        encoded = None if picture is None else _webp(picture)
        with self._lock:
            self._copies[content_id] = encoded
            _trim(self._copies)
        return encoded

    def _remember(self, answer: Similar) -> None:
        """Keep where the pictures of an answer lie, as they will be asked for next."""
        for content_id, uri in (
            (answer.content_id, answer.uri),
            *((each.content_id, each.uri) for each in answer.matches),
        ):
            if content_id is not None and uri is not None:
                self._uris[content_id] = uri
        _trim(self._uris)

    @cached_property
    def _model(self) -> ClusterModel:
        return load_model(self._store, self.run.model_id)

    def _shown_cluster(self, cluster: int) -> tuple[int, str]:
        """Return number and name of a model's cluster as people edited it."""
        with open_shown(self._store, self.run, self._config) as tables:
            found = tables.execute(
                "SELECT cluster, any_value(cluster_name) FROM shown WHERE model_cluster = ? "
                "GROUP BY cluster ORDER BY count(*) DESC LIMIT 1",
                [cluster],
            ).fetchone()
        return (cluster, "") if found is None else (found[0], found[1] or "")

    def _refresh(self) -> None:
        if time.monotonic() - self._looked > _FRESH_S:
            self._similar.refresh()
            latest = choose_run(self._store, None, self.run.archive_id)
            if not self.run.past and latest.run_id != self.run.run_id:
                self.run = latest
                self.__dict__.pop("_model", None)
            self._looked = time.monotonic()


def _trim(kept: OrderedDict[str, Any]) -> None:
    while len(kept) > _CACHED:
        kept.popitem(last=False)


def _webp(picture: Image.Image) -> bytes:
    encoded = io.BytesIO()
    picture.save(encoded, "WEBP", quality=82)
    return encoded.getvalue()
