"""What each listed file is to the store: a comparison on disk, in bounded memory.

Paths and contents are compared by 128-bit keys and versions by 64-bit hashes, so that a row of a
hash table takes some 70 bytes however long its path is; DuckDB spills what is beyond its limit.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from artcluster.archive.database import Database, Relation, parquet, quoted
from artcluster.schema import EMBEDDINGS, IMAGES


class State(IntEnum):
    """What a listed file is to the store. Up to `RETRIED` it is to do."""

    NEW = 0
    """Its path is not known, or was removed."""
    CHANGED = 1
    """Its size or version is not what it was when it was last fetched."""
    UNEMBEDDED = 2
    """Known and usable, but its content has no vector under this embedder."""
    RETRIED = 3
    """Could not be read before; or rejected under another pixel policy, or for a reason that is to
    be tried again."""
    UNCHANGED = 4
    """Known and embedded."""
    REJECTED = 5
    """Rejected under this pixel policy."""
    GONE = 6
    """Vanished between this very listing and being fetched."""
    UNREAD = 7
    """Could not be read since it was planned."""


@dataclass(frozen=True)
class Known:
    """What the store knows.

    Attributes:
        images: Rows of the `images` table, of one archive or of all.
        embedded: The contents that have a vector under the embedder: rows with a `content_id`.
        pixel_policy: The policy that images are decoded under now.
        retry_reasons: Rejects with these reasons are tried again, whatever their policy.
    """

    images: Relation
    embedded: Relation
    pixel_policy: str
    retry_reasons: Collection[str] = ()


def load_states(
    database: Database,
    files: Sequence[Path],
    number: str,
    archive_id: str,
    scan_id: int,
    known: Known,
    retry_before: str,
) -> None:
    """Make the tables `known` (a row a path) and `states` (a row a listed file).

    The current row of a path is its latest by scan and time. It holds for a listed file if size
    and version are the same (or the listing does not state them), or if it was written under
    this scan: then the file was fetched after it was listed, and is what was fetched.

    Args:
        database: Empty.
        files: Parquet files of the listing or of a plan.
        number: Their column that numbers rows (or parts).
        archive_id: The archive listed.
        scan_id: The scan listed.
        known: What the store knows.
        retry_before: What could not be read, and rejects by reason, are tried again if written
            before this time (ISO 8601).
    """
    database.register("images", known.images, IMAGES.schema)
    database.register("embedded", known.embedded, EMBEDDINGS.schema)
    database.execute(f"create view listed as select * from {parquet(files)}")
    _load_known(database, archive_id, scan_id, known, retry_before)
    database.execute(
        f"""
        create table states as
        select l.number, l.size_bytes, k.first_half, k.second_half,
            coalesce(k.usable or k.unread, false) held, (case
            when k.key is null then {State.NEW}
            when k.removed and k.scanned then {State.GONE}
            when k.removed then {State.NEW}
            when k.unread and k.retried then {State.RETRIED}
            when k.unread and k.scanned then {State.UNREAD}
            when not (k.scanned or (
                (l.size_bytes is null or l.size_bytes is not distinct from k.size_bytes)
                and (l.version is null or l.version is not distinct from k.version)
            )) then {State.CHANGED}
            when k.usable and coalesce(k.first_half in (
                select content_id[:32]::uuid from embedded where content_id is not null
            ), false) then {State.UNCHANGED}
            when k.usable then {State.UNEMBEDDED}
            when k.retried then {State.RETRIED}
            else {State.REJECTED} end)::utinyint state
        from (
            select {number} number, md5_number(path) key, size_bytes, {_hashed("version")} version
            from listed
        ) l
        left join known k using (key)
        """
    )


def content_id(table: str) -> str:
    """Return the SQL that puts the halves of a content's hash together again."""
    return f"replace({table}.first_half::varchar || {table}.second_half::varchar, '-', '')"


def _load_known(
    database: Database, archive_id: str, scan_id: int, known: Known, retry_before: str
) -> None:
    reasons = ", ".join(map(quoted, known.retry_reasons)) or "null"
    database.execute(
        f"""
        create view history as
        select md5_number(path) key, scan_id, seen_at, size_bytes, {_hashed("version")} version,
            content_id[:32]::uuid first_half, content_id[33:]::uuid second_half,
            status = 'ok' usable, status = 'removed' removed, status = 'unread' unread,
            scan_id >= {scan_id} scanned,
            (status = 'unread' and seen_at < {quoted(retry_before)}::timestamptz)
            or (status = 'rejected' and (
                pixel_policy is distinct from {quoted(known.pixel_policy)}
                or (coalesce(reason in ({reasons}), false)
                    and seen_at < {quoted(retry_before)}::timestamptz)
            )) retried
        from images where archive_id = {quoted(archive_id)}
        """
    )
    # Most paths have one row: only the others are sorted.
    database.execute(
        "create table repeated as select key from history group by key having count(*) > 1"
    )
    columns = "* exclude (scan_id, seen_at)"
    if not database.execute("select 1 from repeated limit 1"):
        database.execute(f"create table known as select {columns} from history")
        return
    database.execute(
        f"""
        create table known as
        select {columns} from history anti join repeated using (key)
        union all
        select {columns} from history semi join repeated using (key)
        qualify row_number() over (partition by key order by scan_id desc, seen_at desc) = 1
        """
    )


def _hashed(column: str) -> str:
    return f"case when {column} is not null then hash({column}) end"
