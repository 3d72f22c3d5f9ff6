"""A scan compared with the store: counts for a dry run, files to do, paths that were removed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from artcluster.archive.database import Database, Limits, open_database, quoted
from artcluster.archive.entries import MISSING
from artcluster.archive.scan import LEFT_OUT, Scan
from artcluster.archive.states import Known, State, content_id, load_states
from artcluster.errors import ArchiveError
from artcluster.location import Location
from artcluster.schema import IMAGES

_CHUNK_ROWS = 100_000


@dataclass(frozen=True)
class Summary:
    """What a scan found, in numbers.

    Attributes:
        listed: Files listed.
        listed_bytes: Their bytes, where known.
        new: Files whose path is not known.
        changed: Files of another size or version than when last fetched.
        unembedded: Known files without a vector under this embedder.
        retried: Rejects that are tried again.
        unchanged: Files with nothing to do.
        rejected: Rejects that stay rejects.
        gone: Files that vanished after they were listed.
        unread: Files that could not be read since this scan was planned.
        removed: Known paths that are not listed any more.
        todo_bytes: Bytes of the files to do.
    """

    listed: int
    listed_bytes: int
    new: int
    changed: int
    unembedded: int
    retried: int
    unchanged: int
    rejected: int
    gone: int
    unread: int
    removed: int
    todo_bytes: int

    @property
    def todo(self) -> int:
        """Files to do."""
        return self.new + self.changed + self.unembedded + self.retried


class Comparison:
    """One scan compared with what the store knows; lives inside `compare`."""

    def __init__(
        self, database: Database, scan: Scan, known: Known, left_out: Sequence[Path]
    ) -> None:
        self.scan = scan
        self.known = known
        self._database = database
        self._load_missing(left_out)
        self._load_removed()
        self.summary = self._summarise()

    def todo(self) -> Iterator[pa.Table]:
        """Yield the files to do, in the listing's order, some thousands at a time.

        Columns: path, uri, size_bytes, version, content_id (what the path held when it could be
        read last; null where it held no usable picture).
        """
        for start in range(0, self.scan.images, _CHUNK_ROWS):
            span = f"between {start} and {start + _CHUNK_ROWS - 1}"
            table = self._database.table(
                f"""
                select path, uri, l.size_bytes, version,
                    case when held then {content_id("s")} end content_id
                from (select * from listed where row {span}) l
                join (
                    select * from states where number {span} and state <= {State.RETRIED}
                ) s on l.row = s.number
                order by l.row
                """
            )
            if table.num_rows:
                yield table

    def removed(self, max_removed_share: float = 0.5) -> Iterator[pa.RecordBatch]:
        """Yield rows of status `removed` for the `images` table.

        A path is removed if the store knows it and this scan, which is complete, does not list it.
        What lies below folders that could not be read stays, and so does what a list still names
        and never was there.

        Raises:
            ArchiveError: More than this share of the known paths would be removed.
        """
        self._check_share(max_removed_share)
        return self._removed_rows()

    def _removed_rows(self) -> Iterator[pa.RecordBatch]:
        yield from self._rows(
            "select path, uri, content_id, width, height, format, "
            "case when missing then 'list' end as stage, "
            "case when missing then 'missing' end as reason from removed order by path",
            "removed",
        )

    def missing(self) -> Iterator[pa.RecordBatch]:
        """Yield rows of status `unread` for what a list names, is not there, and never was.

        Later scans that find it list it, and so try it again.
        """
        yield from self._rows(
            "select path, uri, 'list' as stage, 'missing' as reason, "
            "'the list names it, and there is no such file' as detail "
            "from missing anti join known using (key) order by path",
            "unread",
        )

    def _rows(self, query: str, status: str) -> Iterator[pa.RecordBatch]:
        """Yield rows of the `images` table that state some of its columns."""
        given = {
            "archive_id": self.scan.archive_id,
            "scan_id": self.scan.scan_id,
            "status": status,
            "seen_at": datetime.now(UTC),
        }
        for batch in self._database.batches(query):
            columns = [
                batch.column(field.name).cast(field.type)
                if field.name in batch.schema.names
                else pa.array([given.get(field.name)] * batch.num_rows, field.type)
                for field in IMAGES.schema
            ]
            yield pa.record_batch(columns, schema=IMAGES.schema)

    def _check_share(self, share: float) -> None:
        removed = self.summary.removed
        ((live,),) = self._database.execute("select count(*) from known where not removed")
        if removed > share * live:
            raise ArchiveError(
                f"This scan of {self.scan.uri} would remove {removed:,} of {live:,} known images "
                f"({removed / live:.0%}), more than archive.max_removed_share = {share:g} allows. "
                "Check that the archive is mounted and whole. If they were really taken away, "
                "start again with archive.max_removed_share=1."
            )

    def _load_missing(self, left_out: Sequence[Path]) -> None:
        """Make the table of what a list names and is not there."""
        self._database.register("left_out", left_out, LEFT_OUT)
        self._database.execute(
            "create table missing as select md5_number(path) key, path, uri from left_out "
            f"where reason = {quoted(MISSING)}"
        )

    def _load_removed(self) -> None:
        kept = " ".join(
            f"and path <> {quoted(path)} and not starts_with(path, {quoted(path + '/')})"
            for path in self.scan.unreachable
        )
        self._database.execute(
            f"""
            create table removed as
            with unlisted as (
                select key, key in (select key from missing) missing from known
                anti join (select md5_number(path) key from listed) using (key)
                where not removed and not (
                    unread and first_half is null and key in (select key from missing)
                )
            )
            select path, any_value(missing) missing,
                arg_max(uri, written) uri, arg_max(content_id, written) content_id,
                arg_max(width, written) width, arg_max(height, written) height,
                arg_max(format, written) format
            from (
                select *, (scan_id, seen_at) written, md5_number(path) key from images
                where archive_id = {quoted(self.scan.archive_id)} {kept}
            )
            join unlisted using (key) group by path
            """
        )

    def _summarise(self) -> Summary:
        rows = self._database.execute(
            "select state, count(*), coalesce(sum(size_bytes), 0)::bigint from states group by 1"
        )
        count = {State(state): images for state, images, _ in rows}
        ((removed,),) = self._database.execute("select count(*) from removed")
        return Summary(
            listed=self.scan.images,
            listed_bytes=self.scan.size_bytes,
            **{state.name.lower(): count.get(state, 0) for state in State},
            removed=removed,
            todo_bytes=sum(size for state, _, size in rows if state <= State.RETRIED),
        )


@contextmanager
def compare(
    scan: Scan, root: Location, known: Known, limits: Limits | None = None
) -> Iterator[Comparison]:
    """Compare a scan with what the store knows.

    Args:
        scan: A complete scan.
        root: The store's root, where the scan lies.
        known: What the store knows.
        limits: What the comparison may use.
    """
    with open_database(limits or Limits()) as database:
        files = database.fetch_files(root, scan.files)
        now = datetime.now(UTC).isoformat()
        load_states(database, files, "row", scan.archive_id, scan.scan_id, known, now)
        left_out = database.fetch_files(root, scan.left_out)
        yield Comparison(database, scan, known, left_out)
