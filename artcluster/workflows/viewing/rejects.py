"""The files of a store that could not be used, grouped by reason."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from artcluster.config import Config
from artcluster.images.rejects import ADVICE
from artcluster.store import Store
from artcluster.workflows.archives import open_tables


@dataclass(frozen=True)
class RejectedFile:
    """A file that was rejected, or that could not be read."""

    archive_id: str
    path: str
    uri: str
    stage: str
    detail: str


@dataclass(frozen=True)
class RejectedFiles:
    """The files that were rejected for one reason.

    Attributes:
        reason: Its code.
        count: How many there are.
        advice: What a person can do.
        files: Some or all of them.
    """

    reason: str
    count: int
    advice: str
    files: Sequence[RejectedFile]

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


# A file of every folder comes before the second of any, so that no folder fills the list alone.
SPREAD_OVER_FOLDERS = (
    "row_number() OVER (PARTITION BY archive_id, reason, "
    "regexp_replace(path, '[^/]*$', '') ORDER BY path)"
)
"""SQL: number of a reject in its folder, to order by."""


def rejected_files(
    store: Store,
    config: Config,
    *,
    archive_id: str | None = None,
    reason: str | None = None,
    limit: int | None = None,
) -> list[RejectedFiles]:
    """Return the rejects of a store by reason, the most frequent first.

    Args:
        archive_id: Only those of this archive.
        reason: Only those with this reason.
        limit: Files per reason at most, spread over the folders.
    """
    with open_tables(store, config, "rejects") as tables:
        rows = tables.execute(
            f"""
            SELECT reason, total, archive_id, path, uri, coalesce(stage, ''), coalesce(detail, '')
            FROM (
                SELECT *, row_number() OVER (PARTITION BY reason ORDER BY in_folder, path) AS nth
                FROM (
                    SELECT *, count(*) OVER (PARTITION BY reason) AS total,
                        {SPREAD_OVER_FOLDERS} AS in_folder
                    FROM rejects
                    WHERE ($archive IS NULL OR archive_id = $archive)
                        AND ($reason IS NULL OR reason = $reason)
                )
            ) WHERE $most IS NULL OR nth <= $most ORDER BY total DESC, reason, archive_id, path
            """,
            {"archive": archive_id, "reason": reason, "most": limit},
        ).fetchall()
    groups: dict[str, tuple[int, list[RejectedFile]]] = {}
    for why, total, *file in rows:
        groups.setdefault(why, (total, []))[1].append(RejectedFile(*file))
    return [
        RejectedFiles(why, total, ADVICE.get(why, ""), files)
        for why, (total, files) in groups.items()
    ]
