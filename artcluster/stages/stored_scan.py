"""An archive as its last listing in the store has it: where it lies, and which files it held."""

from artcluster.archive.scan import Scan, latest_scan, read_scan
from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.stages.job import Job
from artcluster.stages.known import known_archive
from artcluster.stages.scanning import Archive


def stored_scan(job: Job, archive_id: str) -> tuple[Archive, Scan]:
    """Return an archive and the listing that the store's images are of.

    Raises:
        UsageError: The store has no listing of it any more.
    """
    scan_id = known_archive(job.store, archive_id, job.config).scan_id
    root = job.store.location
    scan = read_scan(root, archive_id, scan_id) or latest_scan(root, archive_id)
    if scan is None:
        raise UsageError(
            f"the store {root} does not know any more where the archive {archive_id!r} lies: run "
            "`artcluster embed IMAGES STORE` with its folder, bucket or list, then this again"
        )
    return Archive(archive_id, Location.parse(scan.uri, job.config.archive.options), None), scan
