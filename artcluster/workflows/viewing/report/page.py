"""What a page of a report is, and what it is made from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from artcluster.pages.content import Frame, RejectGroup
from artcluster.workflows.job import Job
from artcluster.workflows.runs import Run
from artcluster.workflows.viewing.report.choose import Describe
from artcluster.workflows.viewing.report.members import Members
from artcluster.workflows.viewing.report.output import Output
from artcluster.workflows.viewing.thumbnails import Thumbnails

LineageRow = tuple[int | None, int | None, int, str]
"""Old cluster, new cluster, shared members, kind."""


@dataclass(frozen=True)
class Report:
    """What a report's pages are made from.

    Attributes:
        columns: Metadata columns with groups of images, those of the run's labels first.
        lineage: What became of the parent's clusters.
        points: Images that have a place on the map.
        broken: What could be saved of them.
        unread: Images whose originals could not be read for a thumbnail.
        output: Where further files of a page go.
    """

    job: Job
    run: Run
    frame: Frame
    members: Members
    describe: Describe
    columns: Sequence[str]
    lineage: Sequence[LineageRow]
    points: int
    map_tiles: Thumbnails
    rejects: Sequence[RejectGroup]
    broken: Thumbnails
    unread: int
    output: Output


@dataclass(frozen=True)
class ReportPage:
    """A page of a report.

    Attributes:
        link: Its text in the navigation.
        build: Returns what the template takes; None where there is nothing to show, and no page.
        template: A file of `artcluster/pages/templates`; `findings.html` takes `all_findings`, and
            needs no template of one's own.
        file: Its path in the report; '' for the page's name with `.html`.
    """

    link: str
    build: Callable[[Report], Mapping[str, Any] | None]
    template: str
    file: str = ""
