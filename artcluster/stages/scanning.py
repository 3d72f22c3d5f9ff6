"""From an archive to a stored plan of what is to embed, by listing it and by looking it up."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.dataset as ds

from artcluster.archive.comparison import Comparison, Summary, compare
from artcluster.archive.database import Limits, Relation
from artcluster.archive.fetch import FetchSettings
from artcluster.archive.globs import split_glob
from artcluster.archive.identity import archive_id_of, check_archive_id
from artcluster.archive.listing import Listing
from artcluster.archive.parts import PartRef
from artcluster.archive.plan import Plan, latest_plan, unfinished, write_plan
from artcluster.archive.scan import Scan, write_scan
from artcluster.archive.states import Known
from artcluster.config import Config
from artcluster.embedders.face_recipe import finds_faces
from artcluster.errors import UsageError
from artcluster.images.policy import PixelPolicy
from artcluster.location import Location
from artcluster.schema import EMBEDDINGS, IMAGES, REGIONS
from artcluster.store import Fence, Store

_LEAST_PART = 32
_PARTS_A_CPU = 4


@dataclass(frozen=True)
class Archive:
    """An archive as a job was given it.

    Attributes:
        archive_id: Its name in the store.
        location: Where it lies.
        pattern: Glob below it, or None.
    """

    archive_id: str
    location: Location
    pattern: str | None


def resolve_archive(images: str, config: Config) -> Archive:
    """Tell a glob from a folder, and name the archive."""
    place, pattern = split_glob(images)
    location = Location.parse(place, config.archive.options)
    if config.archive.id is not None:
        return Archive(check_archive_id(config.archive.id), location, pattern)
    return Archive(archive_id_of(location, pattern), location, pattern)


@dataclass(frozen=True)
class Planning:
    """Everything that comparing a listing with the store depends on."""

    store: Store
    config: Config
    archive: Archive
    embedder_id: str
    policy: PixelPolicy
    scans: Location
    """The store's root, or for a dry run another place to keep the listing."""

    @property
    def limits(self) -> Limits:
        """What a comparison may use."""
        return limits_of(self.config)

    def scan(self) -> Scan:
        """List the archive into the store.

        Raises:
            ArchiveError: It could not be listed to its end.
            UsageError: It holds no files.
        """
        settings = self.config.archive
        listing = Listing(
            self.archive.location,
            pattern=self.archive.pattern,
            include=settings.include,
            exclude=settings.exclude,
            column=settings.list_column,
            root=(
                Location.parse(settings.list_root, settings.options)
                if settings.list_root is not None
                else None
            ),
            skip_unreadable=settings.skip_unreadable,
            leave_out=[self.store.location],
            fetch=fetch_settings(self.config),
            limits=self.limits,
        )
        return write_scan(listing, self.scans, self.archive.archive_id)

    @contextmanager
    def compared(self, scan: Scan, known: Known | None = None) -> Iterator[Comparison]:
        """Compare a scan with what is known; by default with the store as it is now."""
        with compare(scan, self.scans, known or self._known(), self.limits) as comparison:
            yield comparison

    def write(self, comparison: Comparison, cpus: float) -> Plan:
        """Store what is to do as parts, small enough to keep so many CPUs busy."""
        settings = self.config.embed
        fair = comparison.summary.todo / max(1.0, _PARTS_A_CPU * cpus)
        return write_plan(
            comparison,
            self.store.location,
            self.embedder_id,
            part_images=min(settings.part_images, max(_LEAST_PART, int(fair))),
            part_bytes=settings.part_bytes,
        )

    def latest(self) -> Plan | None:
        """Return the last plan for this archive, embedder and policy."""
        return latest_plan(
            self.store.location,
            self.archive.archive_id,
            self.embedder_id,
            self.policy.policy_id,
        )

    def unfinished(self, plan: Plan) -> list[PartRef]:
        """Return the parts of a plan that still hold files to do."""
        known = self._known()
        return list(
            unfinished(self.store.location, plan, known.images, known.embedded, self.limits)
        )

    def commit_removed(self, comparison: Comparison, fence: Fence) -> int:
        """Mark the paths that the scan no longer found; return their number.

        Raises:
            ArchiveError: They are more than the allowed share of the known ones.
        """
        if not comparison.summary.removed:
            return 0
        batches = comparison.removed(self.config.archive.max_removed_share)
        reader = pa.RecordBatchReader.from_batches(IMAGES.schema, batches)
        return self.store.append(IMAGES, reader, fence)

    def _known(self) -> Known:
        return Known(
            images=rows_of(self.store, "images", {}),
            embedded=rows_of(
                self.store, done_table(self.embedder_id), {"embedder_id": self.embedder_id}
            ),
            pixel_policy=self.policy.policy_id,
            retry_reasons=self.config.images.retry_reasons,
        )


def limits_of(config: Config) -> Limits:
    """Return what joins over the store's tables may use."""
    return Limits(memory_bytes=config.store.memory_bytes)


def done_table(embedder_id: str) -> str:
    """Return the table whose rows tell which contents an embedder is done with.

    A picture may have no face: that it was looked at is told by `regions`.
    """
    return REGIONS.name if finds_faces(embedder_id) else EMBEDDINGS.name


def rows_of(store: Store, table: str, partition: dict[str, str]) -> Relation:
    """Return a table's rows as DuckDB reads them leanest: local files, else a dataset."""
    reader = store.table(table)
    if store.location.is_local:
        return reader.files(partition)
    dataset = reader.dataset()
    for column, value in partition.items():
        dataset = dataset.filter(ds.field(column) == value)
    return dataset


def fetch_settings(config: Config) -> FetchSettings:
    """Return how files of the archive are read."""
    archive = config.archive
    return FetchSettings(
        retries=archive.fetch_retries,
        max_file_bytes=archive.max_file_bytes,
        threads=archive.fetch_threads,
    )


def check_not_empty(summary: Summary, archive: Archive) -> None:
    """Refuse an archive without any file, which is nearly always a wrong path.

    Raises:
        UsageError: Nothing was listed.
    """
    if not summary.listed:
        raise UsageError(
            f"There are no images at {archive.location}. Expected a folder, a bucket, a glob, or a "
            "CSV or Parquet list of addresses. Is the path right, and is it mounted?"
        )
