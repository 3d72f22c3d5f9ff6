"""From an archive to a stored plan of what is to embed, by listing it and by looking it up."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import pyarrow as pa

from artcluster.archive.comparison import Comparison, Summary, compare
from artcluster.archive.database import Limits, Relation
from artcluster.archive.listing import Listing
from artcluster.archive.parts import PartRef, Target
from artcluster.archive.plan import (
    Plan,
    latest_plan,
    latest_plans,
    unfinished,
    write_plan,
)
from artcluster.archive.scan import Scan, write_scan
from artcluster.archive.states import Known
from artcluster.config import Config
from artcluster.errors import UsageError
from artcluster.images.policy import PixelPolicy
from artcluster.location import Location
from artcluster.schema import IMAGES
from artcluster.store import Fence, Store
from artcluster.workflows.archives import (
    Archive,
    done_table,
    fetch_settings,
    limits_of,
    rows_of,
)

_LEAST_PART = 32
_PARTS_A_CPU = 4


@dataclass(frozen=True)
class Planning:
    """Everything that comparing a listing with the store depends on."""

    store: Store
    config: Config
    archive: Archive
    target: Target
    policy: PixelPolicy
    scans: Location
    """The store's root; for a dry run another place for the listing."""

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
        """Store what is to do as parts, small enough to keep this number of CPUs busy."""
        settings = self.config.embed
        fair = comparison.summary.todo / max(1.0, _PARTS_A_CPU * cpus)
        return write_plan(
            comparison,
            self.store.location,
            self.target,
            part_images=min(settings.part_images, max(_LEAST_PART, int(fair))),
            part_bytes=settings.part_bytes,
        )

    def latest(self) -> Plan | None:
        """Return the last plan for this archive, target and policy."""
        return latest_plan(
            self.store.location, self.archive.archive_id, self.target, self.policy.policy_id
        )

    def unfinished(self, plan: Plan) -> list[PartRef]:
        """Return the parts of a plan that still hold files to do."""
        return list(
            unfinished(
                self.store.location, plan, *_done(self.store, self.target), limits=self.limits
            )
        )

    def commit_absent(self, comparison: Comparison, fence: Fence) -> int:
        """Mark the paths that the scan no longer found, and note what a list names in vain.

        Returns:
            The number of paths that were removed.

        Raises:
            ArchiveError: They are more than the allowed share of the known ones.
        """
        removed = comparison.removed(self.config.archive.max_removed_share)
        batches = chain(removed, comparison.missing())
        reader = pa.RecordBatchReader.from_batches(IMAGES.schema, batches)
        self.store.append(IMAGES, reader, fence)
        return comparison.summary.removed

    def _known(self) -> Known:
        images, embedded = _done(self.store, self.target)
        return Known(
            images=images,
            embedded=embedded,
            pixel_policy=self.policy.policy_id,
            retry_reasons=self.config.images.retry_reasons,
        )


def check_not_empty(summary: Summary, archive: Archive) -> None:
    """Refuse an archive without any file, which is nearly always a wrong path.

    Raises:
        UsageError: Nothing was listed.
    """
    if not summary.listed:
        raise UsageError(
            f"There are no images at {archive.location}. Expected a folder, a bucket, a glob, a "
            "zip, tar or Parquet file of images, or a list of addresses. Is the path right, and is "
            "it mounted?"
        )


def pending_plans(store: Store, config: Config) -> Iterator[tuple[Plan, list[PartRef]]]:
    """Yield each plan that an embedding job would resume, with the parts that are left to do.

    Plans of pixels are never resumed: the same command plans again what none of its shards holds.
    """
    for plan in latest_plans(store.location):
        if plan.target.makes == "vectors":
            left = list(
                unfinished(
                    store.location, plan, *_done(store, plan.target), limits=limits_of(config)
                )
            )
            if left:
                yield plan, left


def _done(store: Store, target: Target) -> tuple[Relation, Relation]:
    """Return the rows of images, and of the contents that have vectors of an embedder."""
    embedded = rows_of(store, done_table(target.name), {"embedder_id": target.name})
    return rows_of(store, "images", {}), embedded
