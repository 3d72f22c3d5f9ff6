"""The clusters of given pictures by a stored model; nothing is written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from artcluster.archive.fetch import Fetcher
from artcluster.archive.listing import Listing
from artcluster.archive.parts import PartRow
from artcluster.clustering.model.confidence import Assignment
from artcluster.clustering.model.model import ClusterModel
from artcluster.config import Config
from artcluster.embedders import Embedder
from artcluster.errors import UsageError
from artcluster.images.rejects import ImageInfo
from artcluster.location import Location
from artcluster.metrics.agreement import NOISE
from artcluster.schema import MODELS
from artcluster.store import Store
from artcluster.store.members import member_id
from artcluster.workflows.archives import Archive, check_there, fetch_settings
from artcluster.workflows.clustering.assignments import load_model
from artcluster.workflows.embedding.decoding import FaceLooker, WholePictures, decoder_for
from artcluster.workflows.embedding.embedder import (
    Files,
    ReadyEmbedder,
    load_embedder,
    read_embedder,
    stored_state,
)
from artcluster.workflows.results import AssignedImage
from artcluster.workflows.runs import choose_run


@dataclass(frozen=True)
class LoadedModel:
    """All that assigning pictures needs.

    Attributes:
        embedder: Makes the vectors that the model takes.
        files: Where the embedder's weights are read from.
    """

    model_id: str
    model: ClusterModel
    embedder: ReadyEmbedder
    files: Files


def artefact_of_store(
    store: Store, model_id: str | None, archive_id: str | None = None
) -> LoadedModel:
    """Return a store's model; by default that of an archive's last run.

    Raises:
        UsageError: There is no such model, or there are several archives to choose from.
    """
    if model_id is None:
        model_id = choose_run(store, None, archive_id).model_id
    else:
        known = store.table(MODELS).read(["model_id"])["model_id"].to_pylist()
        if model_id not in known:
            raise UsageError(
                f"the store {store.location} has no model {model_id!r}; it has "
                f"{', '.join(known) or 'none'}"
            )
    model = load_model(store, model_id)
    embedder = read_embedder(store, model.embedder_id)
    model.check(embedder.embedder_id)
    return LoadedModel(model_id, model, embedder, store)


_AT_ONCE = 64


def assign_by(
    artefact: LoadedModel, images: Sequence[str], config: Config, threads: int
) -> Iterator[AssignedImage]:
    """Yield the cluster of each picture, or of each face in it, in the order given.

    Folders are listed. A face goes by its picture's name with `#x,y,width,height`.

    Args:
        artefact: The model and its embedder.
        images: Paths or URIs of pictures or folders.
        config: How pictures are fetched and decoded; the pixel policy is the model's.
        threads: CPU threads.

    Raises:
        UsageError: A place holds no pictures.
        ArchiveError: A file cannot be read.
    """
    model, embedder = artefact.model, artefact.embedder
    embed = load_embedder(artefact.files, embedder, config.embed, "auto", threads)
    take = decoder_for(embedder, config.images, stored_state(artefact.files, embedder))
    with take.decoder:
        for place in images:
            location = Location.parse(place, config.archive.options)
            check_there(Archive("", location, None), config)
            fetcher = Fetcher(location, fetch_settings(config))
            found = False
            for rows in _listed(location, config):
                found = True
                yield from _assigned(rows, fetcher, take, embed, model)
            if not found:
                raise UsageError(
                    f"there is no picture at {location}: expected a file, or a folder with some"
                )


def _listed(location: Location, config: Config) -> Iterator[list[PartRow]]:
    for batch in Listing(location, fetch=fetch_settings(config)):
        for start in range(0, batch.num_rows, _AT_ONCE):
            yield [
                PartRow(**row, content_id=None) for row in batch.slice(start, _AT_ONCE).to_pylist()
            ]


def _assigned(
    rows: list[PartRow],
    fetcher: Fetcher,
    take: WholePictures | FaceLooker,
    embed: Embedder,
    model: ClusterModel,
) -> Iterator[AssignedImage]:
    fetched = list(fetcher.fetch_many(rows))
    blobs = {str(number): file.data for number, (_, file) in enumerate(fetched)}
    batch = take(blobs, blobs.keys())
    found = model.predict(embed(batch.pixels_NHWC)) if batch.content_ids else None
    places: dict[str, list[int]] = {}
    for place, number in enumerate(batch.content_ids):
        places.setdefault(number, []).append(place)
    for number, (row, file), info in zip(blobs, fetched, batch.infos, strict=True):
        if number not in places or found is None:
            yield AssignedImage(row.uri, None, reason=_why(file.outcome, info) or "no faces")
            continue
        for place in places[number]:
            yield _of_cluster(member_id(row.uri, batch.regions[place]), found, place)


def _of_cluster(path: str, found: Assignment, row: int) -> AssignedImage:
    noise = found.cluster[row] == NOISE
    remarks = [
        ("noise", noise),
        ("outlier", found.outlier[row]),
        ("low confidence", found.low_confidence[row] and not noise),
    ]
    return AssignedImage(
        path,
        int(found.cluster[row]),
        float(np.round(found.confidence[row], 6)),
        float(np.round(found.margin[row], 6)),
        int(found.second_cluster[row]),
        tuple(text for text, holds in remarks if holds),
    )


def _why(outcome: str, info: ImageInfo) -> str:
    if outcome != "ok":
        return outcome
    return "" if info.reject is None else f"{info.reject.reason}: {info.reject.detail}"
