"""The public Python API: the commands as functions, and a store's results as data frames."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
import pyarrow as pa

from artcluster.cli.console import progress_for_terminal
from artcluster.cli.options import FLAG_FIELDS
from artcluster.cli.session import open_job
from artcluster.config import Config, load_config
from artcluster.errors import UsageError, did_you_mean
from artcluster.location import Location
from artcluster.runtime.executor import usable_cpus
from artcluster.store import Store as Tables
from artcluster.workflows.archives import choose_archive, choose_embedder
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.embedding.settings import listed_images
from artcluster.workflows.embedding.shares import check_reject_share, check_unread_share
from artcluster.workflows.given_images import Images, as_archive
from artcluster.workflows.growing.update import UpdateSummary, update_archive
from artcluster.workflows.results import ClusterSummary
from artcluster.workflows.run import assign_images, run_archive, with_inherited_settings
from artcluster.workflows.runs import Run, choose_run, read_runs
from artcluster.workflows.searching.similar import find_similar
from artcluster.workflows.viewing.frame import read_frame, vectors_of_frame
from artcluster.workflows.viewing.map import MapSummary, project_model
from artcluster.workflows.viewing.report.make import make_report

Place = str | os.PathLike[str]
Executor = Literal["ray", "in-process"]
Library = Literal["pandas", "polars", "arrow"]


class Settings(TypedDict, total=False):
    """Settings by the names of the command line's options.

    Attributes:
        settings: Any others by dotted name, such as `{"cluster.dec.tolerance": 0.01}`.
        config: A YAML file of settings.
        storage_options: Credentials or endpoint of object storage, for images and store.
    """

    archive_id: str
    include: str | Sequence[str]
    exclude: str | Sequence[str]
    metadata: Place
    metadata_join: str
    backbone: str
    weights: Place
    weights_sha256: str
    batch_size: int
    method: str
    k: int
    seed: int
    label: str | Sequence[str]
    num_workers: int
    use_gpu: bool
    max_removed_share: float
    max_lost_share: float
    settings: Mapping[str, Any]
    config: Place
    storage_options: Mapping[str, str]


def run(
    images: Images,
    store: Place,
    *,
    executor: Executor = "ray",
    force: bool = False,
    **settings: Unpack[Settings],
) -> "Store":
    """Embed images and cluster them into a store, as `artcluster run` does.

    Args:
        images: A folder, bucket, glob or list file; several files and folders; or a data frame
            with a column `path`, whose other columns are metadata.
        store: Folder or bucket of its own.
        executor: `ray`, or `in-process` for small archives.
        force: Create a new run even if an identical one exists.
        **settings: See `Settings`.

    Raises:
        UsageError: A path, column, label or setting is wrong.
        RejectShareError: More images were rejected than allowed; all others are in the store.
        UnreadShareError: More files than allowed could not be read.
    """
    config = _config(settings)
    with open_job(config, os.fspath(store), executor, create=True, signals=False) as job:
        job, place = as_archive(job, images)
        done = run_archive(job, place, force=force)
    done.check(config)
    return _handle(store, settings)


def embed(
    images: Images, store: Place, *, executor: Executor = "ray", **settings: Unpack[Settings]
) -> "Store":
    """Embed images into a store without clustering them; arguments as for `run`."""
    config = _config(settings)
    with open_job(config, os.fspath(store), executor, create=True, signals=False) as job:
        job, place = as_archive(job, images)
        embedded = embed_archive(job, place)
    check_unread_share(embedded, config.archive.max_unread_share)
    check_reject_share(embedded, config.images.max_reject_share)
    return _handle(store, settings)


def cluster(store: Place, **settings: Any) -> "Store":
    """Cluster the embedded images of a store; arguments as for `Store.cluster`."""
    opened = _handle(store, settings)
    opened.cluster(**settings)
    return opened


def update(images: Images, store: Place, **settings: Any) -> "Store":
    """Update a store to match the current images; arguments as for `Store.update`."""
    opened = _handle(store, settings, create=True)
    opened.update(images, **settings)
    return opened


def open(store: Place, *, storage_options: Mapping[str, str] | None = None) -> "Store":
    """Open a store to read its results and to go on with it.

    Raises:
        StoreError: There is no store.
    """
    return Store(store, storage_options=storage_options)


class Store:
    """The results of a store, and what can be done with them.

    Frames are pandas' by default; `library` takes `polars` or `arrow`, too.

    Attributes:
        location: Path or URI.
    """

    def __init__(
        self,
        store: Place,
        *,
        storage_options: Mapping[str, str] | None = None,
        create: bool = False,
    ) -> None:
        self.location = os.fspath(store)
        self._options = dict(storage_options or {})
        self._tables = Tables.open(self.location, create=create, options=self._options)

    def __repr__(self) -> str:
        return f"artcluster.Store({self.location!r})"

    @property
    def runs(self) -> list[Run]:
        """The runs, oldest first, with their metrics and settings."""
        return read_runs(self._tables)

    def frame(
        self,
        library: Library = "pandas",
        *,
        run: str | None = None,
        archive_id: str | None = None,
    ) -> Any:
        """Return one row per image: path, metadata, cluster, name, confidence, x and y.

        Args:
            run: A past run, as it saw the archive (default: the last).
            archive_id: Archive to use, if the store has several.
        """
        found = read_frame(self._tables, self._config({}), run, archive_id)
        return _as_frame(found, library)

    def vectors(
        self,
        backbone: str | None = None,
        *,
        run: str | None = None,
        archive_id: str | None = None,
    ) -> np.ndarray:
        """Return the vector of each row of `frame`, float32 (N, dim); NaN where there is none.

        Args:
            backbone: Backbone whose vectors to use (default: the run's).
            run: As for `frame`.
            archive_id: As for `frame`.
        """
        config = self._config({})
        rows = read_frame(self._tables, config, run, archive_id)
        if backbone is None and self.runs:
            backbone = choose_run(self._tables, run, archive_id).embedder_id
        return vectors_of_frame(self._tables, rows, choose_embedder(self._tables, backbone), config)

    def cluster(
        self,
        *,
        executor: Executor = "ray",
        parent: str | None = None,
        force: bool = False,
        **settings: Unpack[Settings],
    ) -> ClusterSummary:
        """Cluster the embedded images, as `artcluster cluster` does.

        Args:
            executor: `ray`, or `in-process` for small archives.
            parent: Run, or `last`, whose cluster numbers, names and edits are carried over.
            force: Create a new run even if an identical one exists.
            **settings: See `Settings`; `backbone` chooses the vectors.
        """
        backbone = settings.pop("backbone", None)
        config = self._config(settings)
        with open_job(config, self.location, executor, create=False, signals=False) as job:
            archive_id = settings.get("archive_id")
            return cluster_archive(job, archive_id, backbone, force=force, parent=parent)

    def update(
        self,
        images: Images | None = None,
        *,
        executor: Executor = "ray",
        run: str | None = None,
        refit: bool | None = None,
        **settings: Unpack[Settings],
    ) -> UpdateSummary:
        """Embed and assign new images; refit the model where the archive has drifted.

        Args:
            images: The archive (default: where it was listed last).
            executor: `ray`, or `in-process` for small archives.
            run: Run to follow (default: the last).
            refit: Force or forbid a refit (default: depending on drift).
            **settings: See `Settings`; what is not given is as in the last run.

        Raises:
            RejectShareError: More images were rejected than allowed; all others are in the store.
        """
        config = self._config(settings)
        with open_job(config, self.location, executor, create=False, signals=False) as job:
            if images is None:
                archive_id = choose_archive(job.store, settings.get("archive_id"))
                images = listed_images(job.store, archive_id)
            job, place = as_archive(job, images)
            job = with_inherited_settings(job, place, run)
            done = update_archive(job, place, run_id=run, refit=refit)
        check_reject_share(done.embedding, job.config.images.max_reject_share)
        return done

    def assign(
        self,
        images: Place | Sequence[Place],
        library: Library = "pandas",
        *,
        model: str | None = None,
    ) -> Any:
        """Return the cluster of each picture by a model of the store; nothing is written.

        Args:
            images: A file or folder, or several.
            library: Of the frame.
            model: Model to use (default: the last run's).
        """
        given = [images] if isinstance(images, str | os.PathLike) else images
        places = [os.fspath(place) for place in given]
        found = assign_images(
            self.location, places, self._config({}), model_id=model, threads=usable_cpus()
        )
        return _as_frame(pa.Table.from_pylist([asdict(image) for image in found]), library)

    def similar(
        self,
        images: Place | Sequence[Place] = (),
        library: Library = "pandas",
        *,
        words: str | Sequence[str] = (),
        top: int = 20,
        backbone: str | None = None,
        archive_id: str | None = None,
    ) -> Any:
        """Return the pictures that look like given ones, or match words: best first.

        Args:
            images: Paths in the store, content_ids, files or folders.
            library: Of the frame.
            words: Instead: what the pictures are to show; needs vectors of a CLIP-like network.
            top: Number of matches for each.
            backbone: Backbone whose vectors to use, if the store has several.
            archive_id: Only find pictures of this archive.
        """
        texts = [words] if isinstance(words, str) else list(words)
        given = [images] if isinstance(images, str | os.PathLike) else list(images)
        with progress_for_terminal() as progress:
            answers = find_similar(
                self._tables,
                self._config({}),
                progress,
                images=[os.fspath(each) for each in given],
                words=texts,
                top=top,
                backbone=backbone,
                archive_id=archive_id,
                threads=usable_cpus(),
            )
        rows = chain.from_iterable(
            [{"asked": each.asked, **asdict(match)} for match in each.matches] for each in answers
        )
        return _as_frame(pa.Table.from_pylist(list(rows)), library)

    def map(self, method: str | None = None, *, run: str | None = None) -> MapSummary:
        """Compute the 2-D map of a run's images, which gives `frame` its x and y.

        Args:
            method: `tsne` (default) or `umap`.
            run: Run whose model to use (default: the last).
        """
        config = self._config({"settings": {"map.method": method}})
        with open_job(config, self.location, "in-process", create=False, signals=False) as job:
            return project_model(job, choose_run(job.store, run).model_id, method)

    def report(
        self,
        out: Place | None = None,
        *,
        run: str | None = None,
        archive_id: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> str:
        """Generate a run's pages and return the address of the first.

        Args:
            out: Folder or bucket (default: `report` in the store).
            run: Run to show (default: the last).
            archive_id: Archive to use, if the store has several.
            settings: Such as `{"report.title": "Prints before 1800"}`.
        """
        place = None if out is None else Location.parse(os.fspath(out), self._options)
        config = self._config({"settings": settings or {}})
        with open_job(config, self.location, "in-process", create=False, signals=False) as job:
            return make_report(job, run, archive_id, place).first_page

    def _config(self, settings: Settings) -> Config:
        options = {**self._options, **settings.get("storage_options", {})}
        return _config({**settings, "storage_options": options})


def _handle(store: Place, settings: Mapping[str, Any], *, create: bool = False) -> Store:
    return Store(store, storage_options=settings.get("storage_options"), create=create)


_MANY = ("include", "exclude", "label")


def _config(settings: Settings) -> Config:
    """Return the config of keyword settings.

    Raises:
        UsageError: A setting is unknown or its value wrong.
    """
    flags = dict(settings.get("settings", {}))
    for name, value in settings.items():
        if name in ("settings", "config", "storage_options"):
            continue
        if name not in FLAG_FIELDS:
            hint = did_you_mean(name, Settings.__annotations__)
            raise UsageError(
                f"unknown setting {name!r}{hint}; others go into settings={{'section.field': …}}"
            )
        if name in _MANY and isinstance(value, str):
            value = [value]
        flags[FLAG_FIELDS[name]] = os.fspath(value) if isinstance(value, os.PathLike) else value
    for section in ("archive", "store"):
        for key, text in settings.get("storage_options", {}).items():
            flags[f"{section}.options.{key}"] = text
    file = settings.get("config")
    return load_config(None if file is None else os.fspath(file), flags=flags)


def _as_frame(table: pa.Table, library: Library) -> Any:
    match library:
        case "arrow":
            return table
        case "pandas":
            return table.to_pandas()
        case "polars":
            import polars

            return polars.from_arrow(table)
    raise UsageError(f"library: expected pandas, polars or arrow, got {library!r}")
