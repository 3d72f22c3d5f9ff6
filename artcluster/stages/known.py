"""What the store knows of an archive: its current images, counted and joined to its contents."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from artcluster.archive.database import Database, Limits, open_database, quoted
from artcluster.schema import IMAGES
from artcluster.stages.scanning import rows_of
from artcluster.store import Store


@dataclass(frozen=True)
class ArchiveCounts:
    """An archive as it is in the store.

    Attributes:
        scan_id: The last scan that changed anything; 0 for an archive that is not known.
        images: Paths with a usable picture.
        rejects: Rejected paths by reason, most frequent first.
    """

    scan_id: int
    images: int
    rejects: Mapping[str, int]


@contextmanager
def current_images(store: Store, archive_id: str, limits: Limits) -> Iterator[Database]:
    """Open a database with the view `current`: the latest row of each path of an archive."""
    with open_database(limits) as database:
        database.register("images", rows_of(store, "images", {}), IMAGES.schema)
        database.execute(
            f"""
            create view current as
            select * from images where archive_id = {quoted(archive_id)}
            qualify row_number() over (partition by path order by scan_id desc, seen_at desc) = 1
            """
        )
        yield database


def archive_counts(store: Store, archive_id: str, limits: Limits | None = None) -> ArchiveCounts:
    """Count an archive's images and rejects."""
    with current_images(store, archive_id, limits or Limits()) as database:
        ((scan_id,),) = database.execute(
            f"select coalesce(max(scan_id), 0) from images where archive_id = {quoted(archive_id)}"
        )
        ((images,),) = database.execute("select count(*) from current where status = 'ok'")
        rejects = database.execute(
            "select reason, count(*) from current where status = 'rejected' "
            "group by reason order by 2 desc, 1"
        )
    return ArchiveCounts(scan_id, images, dict(rejects))
