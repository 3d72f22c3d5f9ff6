"""The page of files that could not be used."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from artcluster.images.rejects import ADVICE
from artcluster.pages.content import RejectedFile, RejectGroup
from artcluster.workflows.job import Job
from artcluster.workflows.viewing.rejects import SPREAD_OVER_FOLDERS
from artcluster.workflows.viewing.report.choose import browser_link
from artcluster.workflows.viewing.report.members import Members
from artcluster.workflows.viewing.report.page import Report
from artcluster.workflows.viewing.thumbnails import Original, Thumbnails

_MOST_REJECTS = 200
_SALVAGED = ("truncated", "corrupt")
_FETCH_ADVICE = {
    "too-large": "The picture is larger than the settings allow: raise images.max_pixels or "
    "archive.max_file_bytes, if it is wanted.",
}


def reject_groups(members: Members, archive_id: str) -> list[RejectGroup]:
    """Return the archive's rejects by reason, the most frequent first, without pictures."""
    rows = members.tables.execute(
        f"""
        SELECT reason, stage, path, uri, detail, content_id, total FROM (
            SELECT *, row_number() OVER (PARTITION BY reason ORDER BY in_folder, path) AS nth
            FROM (
                SELECT *, count(*) OVER (PARTITION BY reason) AS total,
                    {SPREAD_OVER_FOLDERS} AS in_folder
                FROM rejects WHERE archive_id = ?
            )
        ) WHERE nth <= {_MOST_REJECTS} ORDER BY total DESC, reason, path
        """,
        [archive_id],
    ).fetchall()
    groups: dict[str, list[RejectedFile]] = {}
    totals: dict[str, int] = {}
    for reason, stage, path, uri, detail, content_id, total in rows:
        totals[reason] = total
        file = RejectedFile(
            path, uri, browser_link(uri), stage or "", detail or "", content_id or ""
        )
        groups.setdefault(reason, []).append(file)
    return [
        RejectGroup(
            reason,
            _FETCH_ADVICE.get(reason) or ADVICE.get(reason, "See what the decoder says."),
            totals[reason],
            files,
        )
        for reason, files in groups.items()
    ]


def with_pictures(job: Job, groups: Sequence[RejectGroup], broken: Thumbnails) -> list[RejectGroup]:
    """Add what can be seen of rejects whose bytes are broken."""
    originals = [
        Original(file.content_id, file.place)
        for group in groups
        if group.reason in _SALVAGED
        for file in group.files
        if file.content_id
    ]
    broken.make(job, list(dict.fromkeys(originals)), "rejects")
    return [
        replace(
            group,
            files=[replace(file, picture=broken.get(file.content_id)) for file in group.files],
        )
        for group in groups
    ]


def build(report: Report) -> Mapping[str, Any]:
    """Return the rejects by reason; the page is there without any, too."""
    report.output.sheets(
        report.broken, (file.content_id for group in report.rejects for file in group.files)
    )
    return {"groups": report.rejects}
