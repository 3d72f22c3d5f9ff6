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

from artcluster.clustering.model.model import ClusterModel
from artcluster.config import Config
from artcluster.runtime.progress import Silent
from artcluster.store import Store
from artcluster.workflows.clustering.assignments import load_model
from artcluster.workflows.embedding.embedder import cache_folder
from artcluster.workflows.embedding.pictures import Pictures
from artcluster.workflows.runs import Run, open_run
from artcluster.workflows.searching.similar import Similar, SimilarPictures, open_neighbours

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
        pictures: Reads originals and makes small copies.
        threads: CPU threads for pictures that are handed in.
        run: The run that is shown.
    """

    def __init__(
        self, store: Store, pictures: Pictures, config: Config, threads: int, run: Run
    ) -> None:
        self.run = run
        self._store = store
        self._pictures = pictures
        self._config = config
        self._threads = threads
        self._embedder_id = run.embedder_id
        self._similar = self._search(self._embedder_id, run)
        self._lock = threading.Lock()
        self._looked = time.monotonic()
        self._copies: OrderedDict[str, bytes | None] = OrderedDict()
        self._uris: OrderedDict[str, str] = OrderedDict()

    def show(self, run: Run) -> None:
        """Answer by another run of the archive from now on."""
        embedder_id = run.embedder_id
        another = embedder_id != self._embedder_id
        similar = self._search(embedder_id, run) if another else self._similar
        with self._lock:
            similar.look_at(run)
            self.run, self._similar, self._embedder_id = run, similar, embedder_id
            self.__dict__.pop("_model", None)

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
        with open_run(self._store, self.run, self._config) as tables:
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
        with open_run(self._store, self.run, self._config) as tables:
            found = tables.execute(
                "SELECT cluster, any_value(cluster_name) FROM shown WHERE model_cluster = ? "
                "GROUP BY cluster ORDER BY count(*) DESC LIMIT 1",
                [cluster],
            ).fetchone()
        return (cluster, "") if found is None else (found[0], found[1] or "")

    def _refresh(self) -> None:
        if time.monotonic() - self._looked > _FRESH_S:
            self._similar.refresh()
            self._looked = time.monotonic()

    def _search(self, embedder_id: str, run: Run) -> SimilarPictures:
        """Open the search over an embedder's vectors."""
        config, cache = self._config, cache_folder()
        neighbours = open_neighbours(
            self._store, embedder_id, config, cache, Silent(), resident=True
        )
        neighbours.refresh()
        similar = SimilarPictures(self._store, neighbours, config, self._threads, run.archive_id)
        similar.look_at(run)
        return similar


def _trim(kept: OrderedDict[str, Any]) -> None:
    while len(kept) > _CACHED:
        kept.popitem(last=False)


def _webp(picture: Image.Image) -> bytes:
    encoded = io.BytesIO()
    picture.save(encoded, "WEBP", quality=82)
    return encoded.getvalue()
