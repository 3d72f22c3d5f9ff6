"""Making a report: gathered from the store, drawn, and written with its first page last."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from artcluster.errors import StoreError
from artcluster.location import Location
from artcluster.pages.content import ClusterEntry, Frame
from artcluster.pages.site import MOST_COVERS, Site, cluster_key
from artcluster.pages.templates import cluster_colour
from artcluster.store.blobs import Blobs
from artcluster.store.layout import REPORT
from artcluster.workflows.curation.keywords import (
    cloud,
    count_words,
    distinctive_keywords,
    grouping_columns,
)
from artcluster.workflows.curation.zero_shot_names import read_word_names
from artcluster.workflows.job import Job
from artcluster.workflows.runs import Run, choose_run, open_run
from artcluster.workflows.viewing.map import project_model
from artcluster.workflows.viewing.report import overview as about
from artcluster.workflows.viewing.report.cards import CARD_PX, CardFacts, draw_cover, make_cards
from artcluster.workflows.viewing.report.choose import (
    Chosen,
    Describe,
    choose_pictures,
    describing_columns,
    originals_of,
)
from artcluster.workflows.viewing.report.members import Members, make_members
from artcluster.workflows.viewing.report.output import Output
from artcluster.workflows.viewing.report.page import Report
from artcluster.workflows.viewing.report.pages import PAGES
from artcluster.workflows.viewing.report.points import choose_points, map_px, point_originals
from artcluster.workflows.viewing.report.rejects import reject_groups, with_pictures
from artcluster.workflows.viewing.thumbnails import Thumbnails

_RUN = "run.json"


@dataclass(frozen=True)
class ReportSummary:
    """A report that was made."""

    run_id: str
    location: str
    """Where it is."""
    first_page: str
    """What to open."""
    images: int
    clusters: int
    pages: int
    size_bytes: int
    unread: int
    """Pictures without a thumbnail, since their originals could not be read."""


def make_report(
    job: Job, run_id: str | None, archive_id: str | None, out: Location | None
) -> ReportSummary:
    """Draw the pages of a run.

    Args:
        out: A folder for the report; None for `report` in the store.

    Raises:
        UsageError: There is no such run, or a setting names a column that does not exist.
    """
    run = choose_run(job.store, run_id, archive_id)
    project_model(job, run.model_id)
    location = out or job.store.location.child(REPORT.name)
    location.objects(create=True)
    output = Output(Blobs(location))
    with open_run(job.store, run, job.config) as tables:
        with job.timings.stage("gather", unit="images"):
            members = make_members(tables, job.store, run.model_id)
            job.progress.advance("gather", members.images)
        return _draw(job, run, members, output, location)


def _draw(
    job: Job, run: Run, members: Members, output: Output, location: Location
) -> ReportSummary:
    store, settings = job.store, job.config.report
    labels = [name for name in run.metrics["labels"] if name in members.metadata]
    described = describing_columns(settings, members.metadata)
    describe = Describe(settings, members.metadata)
    with job.timings.stage("metadata", unit="columns"):
        columns = _ordered(grouping_columns(members.tables, "members", described), labels)
        terms = distinctive_keywords(members.tables, "members", columns)
        words = cloud(count_words(members.tables, "members", described))
    names = about.given_names(members)
    fitting = read_word_names(store, run.series)
    entries = about.make_entries(members, terms, names, labels, fitting)
    known_medoids = about.medoids_of(store, run.run_id)
    medoids = {entry.cluster: known_medoids.get(entry.cluster, []) for entry in entries}
    with job.timings.stage("choose", unit="images"):
        chosen = choose_pictures(job, members, run.embedder_id, medoids)
        points = choose_points(members, settings.max_map_points)
    cards, map_tiles = Thumbnails(store, CARD_PX), Thumbnails(store, map_px(points))
    shown = [content for entry in entries for content in chosen[entry.cluster].contents()]
    unread = cards.make(job, originals_of(members, shown), "pictures")
    unread += map_tiles.make(job, point_originals(members), "map pictures")
    entries = list(_covered(entries, chosen, cards, output, members.noun))
    broken = Thumbnails(store, CARD_PX, broken=True)
    rejects = with_pictures(job, reject_groups(members, run.archive_id), broken)
    lineage = about.lineage_of(store, run.run_id)
    frame = Frame(
        title=settings.title or run.archive_id,
        archive_id=run.archive_id,
        run_id=run.run_id,
        made=f"{run.created_at:%Y-%m-%d %H:%M}",
        images=members.images,
        paths=members.paths,
        members=members.noun,
        clusters=entries,
        colours={
            entry.cluster: (
                cluster_colour(-1 if entry.cluster < 0 else number),
                cluster_colour(-1 if entry.cluster < 0 else number, dark=True),
            )
            for number, entry in enumerate(entries)
        },
        rejects=sum(group.count for group in rejects),
    )
    report = Report(
        job=job,
        run=run,
        frame=frame,
        members=members,
        describe=describe,
        columns=columns,
        lineage=lineage,
        points=points,
        map_tiles=map_tiles,
        rejects=rejects,
        broken=broken,
        unread=unread,
        output=output,
    )
    facts = CardFacts(
        {entry.cluster: entry for entry in entries},
        medoids,
        terms,
        words,
        fitting,
        about.parents_of(lineage, names),
        about.most_sure(members),
    )
    with job.timings.stage("pages", len(entries), "clusters"):
        built = {name: page.build(report) for name, page in PAGES.items()}
        pages = {
            name: (PAGES[name], values) for name, values in built.items() if values is not None
        }
        files = {name: page.file or f"{name}.html" for name, (page, _) in pages.items()}
        links = [(name, files[name], page.link) for name, (page, _) in pages.items()]
        site = Site(frame, links, cards.grid, output.write)
        site.assets()
        for card in make_cards(job, members, chosen, facts, describe, cards):
            site.card(card)
            job.progress.advance("pages", 1)
        output.sheets(cards, shown)
        # The first page last: a report is there once it is.
        for name, (page, values) in reversed(pages.items()):
            site.page(name, files[name], page.template, values)
        output.write(_RUN, json.dumps({"run_id": run.run_id}).encode())
        output.finish()
    return ReportSummary(
        run_id=run.run_id,
        location=str(location),
        first_page=location.child("index.html").uri,
        images=members.images,
        clusters=len(entries),
        pages=sum(path.endswith(".html") for path in output.sizes),
        size_bytes=sum(output.sizes.values()),
        unread=unread,
    )


def report_run(location: Location) -> str:
    """Return the run that a report is of; '' where there is none, or it does not say."""
    try:
        known = Blobs(location).read_if_exists(_RUN)
    except StoreError:
        return ""
    return "" if known is None else str(json.loads(known)["run_id"])


def _covered(
    entries: Sequence[ClusterEntry],
    chosen: dict[int, Chosen],
    thumbnails: Thumbnails,
    output: Output,
    noun: str,
) -> Iterator[ClusterEntry]:
    """Draw the covers of the largest clusters."""
    for entry in entries[:MOST_COVERS]:
        contents = list(
            dict.fromkeys([*chosen[entry.cluster].medoids, *chosen[entry.cluster].sample])
        )
        tiles = [tile for content in contents[:6] if (tile := thumbnails.get(content)) is not None]
        if not tiles:
            yield entry
            continue
        output.write(f"covers/{cluster_key(entry.cluster)}.webp", draw_cover(tiles, thumbnails))
        yield replace(entry, cover=f"{len(tiles)} typical {noun} of {entry.title}")
    yield from entries[MOST_COVERS:]


def _ordered(columns: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Return the columns with the run's labels first."""
    return sorted(columns, key=lambda column: (column not in labels, columns.index(column)))
