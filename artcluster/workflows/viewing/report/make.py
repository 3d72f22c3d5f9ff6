"""Making a report: gathered from the store, drawn, and written with its first page last."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from artcluster.errors import StoreError
from artcluster.location import Location
from artcluster.metrics.measures import LABEL_MEASURES, label_table
from artcluster.pages.content import Entry, Overview, RejectGroup
from artcluster.pages.site import MOST_COVERS, Site, cluster_key
from artcluster.pages.templates import cluster_colour
from artcluster.store.blobs import Blobs
from artcluster.workflows.curation.keywords import (
    cloud,
    count_words,
    distinctive_keywords,
    grouping_columns,
)
from artcluster.workflows.curation.zero_shot_names import read_word_names
from artcluster.workflows.job import Job
from artcluster.workflows.runs import CurrentRun, choose_run, open_current_run
from artcluster.workflows.viewing.map import project_model
from artcluster.workflows.viewing.report import overview as about
from artcluster.workflows.viewing.report.cards import CARD_PX, CardFacts, draw_cover, make_cards
from artcluster.workflows.viewing.report.choose import (
    Chosen,
    Describe,
    choose_pictures,
    describing_columns,
    originals_of,
    reject_groups,
    with_pictures,
)
from artcluster.workflows.viewing.report.history import (
    copy_studies,
    run_charts,
    run_columns,
    run_lines,
    told_of,
)
from artcluster.workflows.viewing.report.members import Members, make_members
from artcluster.workflows.viewing.report.points import (
    choose_points,
    map_px,
    point_originals,
    point_scripts,
    used_sheets,
)
from artcluster.workflows.viewing.thumbnails import Thumbnails

_MANIFEST = "files.json"

_RUN = "run.json"

_CROSSTAB_COLUMNS = 8


@dataclass(frozen=True)
class ReportSummary:
    """A report that was made."""

    run_id: str
    location: str
    """Where it lies."""
    first_page: str
    """What to open."""
    images: int
    clusters: int
    pages: int
    size_bytes: int
    unread: int
    """Pictures without a small copy, since their originals could not be read."""


def make_report(
    job: Job, run_id: str | None, archive_id: str | None, out: Location | None
) -> ReportSummary:
    """Draw the pages of a run.

    Args:
        run_id: Which run; None for the last one.
        archive_id: Which archive, where the store has several.
        out: A folder for the report; None for `report` in the store.

    Raises:
        UsageError: There is no such run, or a setting names a column that there is not.
    """
    run = choose_run(job.store, run_id, archive_id)
    project_model(job, run.model_id)
    place = out or job.store.location.child("report")
    place.objects(create=True)
    output = Output(Blobs(place))
    with open_current_run(job.store, run, job.config) as tables:
        with job.timings.stage("gather", unit="images"):
            members = make_members(tables, job.store, run.model_id)
            job.progress.advance("gather", members.images)
        return _draw(job, run, members, output, place)


def _draw(
    job: Job, run: CurrentRun, members: Members, output: "Output", place: Location
) -> ReportSummary:
    store, settings = job.store, job.config.report
    row = about.run_row(store, run.run_id)
    labels = [name for name in row["config"]["cluster"]["labels"] if name in members.metadata]
    described = describing_columns(settings, members.metadata)
    describe = Describe(settings, members.metadata)
    with job.timings.stage("metadata", unit="columns"):
        columns = _ordered(grouping_columns(members.tables, "members", described), labels)
        terms = distinctive_keywords(members.tables, "members", columns)
        words = cloud(count_words(members.tables, "members", described))
    names = about.given_names(members)
    fitting = read_word_names(store, row["series"] or run.run_id)
    entries = about.make_entries(members, terms, names, labels, fitting)
    medoids = {
        cluster: content
        for cluster, content in about.medoids_of(store, run.run_id).items()
        if any(entry.cluster == cluster for entry in entries)
    }
    medoids |= {entry.cluster: medoids.get(entry.cluster, []) for entry in entries}
    with job.timings.stage("choose", unit="images"):
        chosen = choose_pictures(job, members, row["embedder_id"], medoids)
        points = choose_points(members, settings.max_map_points)
    cards, map_tiles = Thumbnails(store, CARD_PX), Thumbnails(store, map_px(points))
    shown = [content for entry in entries for content in chosen[entry.cluster].contents()]
    unread = cards.make(job, originals_of(members, shown), "pictures")
    unread += map_tiles.make(job, point_originals(members), "map pictures")
    entries = list(_covered(entries, chosen, cards, output, members.noun))
    colours = {
        entry.cluster: (
            cluster_colour(-1 if entry.cluster < 0 else number),
            cluster_colour(-1 if entry.cluster < 0 else number, dark=True),
        )
        for number, entry in enumerate(entries)
    }
    broken = Thumbnails(store, CARD_PX, broken=True)
    rejects = with_pictures(job, reject_groups(members, run.archive_id), broken)
    lineage = about.lineage_of(store, run.run_id)
    lines = run_lines(store, run.archive_id, run.run_id)
    sweeps, comparisons = told_of(store, run.archive_id)
    overview = Overview(
        title=settings.title or run.archive_id,
        archive_id=run.archive_id,
        run_id=run.run_id,
        made=f"{row['created_at']:%Y-%m-%d %H:%M}",
        images=members.images,
        paths=members.paths,
        members=members.noun,
        clusters=entries,
        rejects=sum(group.count for group in rejects),
        metrics=about.metric_lines(row["metrics"]),
        agreement=label_table(row["metrics"].get("labels", {})),
        label_meanings=[(each.title, each.meaning) for each in LABEL_MEASURES.values()],
        facts=about.fact_lines(row, about.model_row(store, run.model_id), members.noun),
        settings=about.settings_yaml(row),
        has_map=points > 0,
        has_crosstabs=bool(columns),
        has_runs=True,
        has_sweeps=bool(sweeps),
        has_comparisons=bool(comparisons),
        lineage=lineage,
        parent=row["parent"] or "",
        unread=unread,
        colours=colours,
        studies=copy_studies(store, run.archive_id, output.write),
    )
    site = Site(overview, cards.grid, output.write)
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
        site.assets()
        for card in make_cards(job, members, chosen, facts, describe, cards):
            site.card(card)
            job.progress.advance("pages", 1)
        if points:
            site.map()
            for path, data in point_scripts(
                members, entries, columns, describe, map_tiles, colours
            ):
                output.write(path, data)
        if columns:
            site.distribution(about.crosstabs(members, columns[:_CROSSTAB_COLUMNS], entries))
        site.runs(lines, run_columns(lines), run_charts(lines))
        site.rejects(rejects)
        if sweeps:
            site.sweeps(sweeps)
        if comparisons:
            site.comparisons(comparisons)
        output.sheets(cards, _sheets_of(shown, cards))
        output.sheets(broken, _sheets_of(_rejected(rejects), broken))
        output.sheets(map_tiles, used_sheets(members, map_tiles))
        site.first_page()
        output.write(_RUN, json.dumps({"run_id": run.run_id}).encode())
        output.finish()
    return ReportSummary(
        run_id=run.run_id,
        location=str(place),
        first_page=place.child("index.html").uri,
        images=members.images,
        clusters=len(entries),
        pages=sum(path.endswith(".html") for path in output.sizes),
        size_bytes=sum(output.sizes.values()),
        unread=unread,
    )


def report_run(place: Location) -> str:
    """Return the run that a report is of; '' where there is none, or it does not say."""
    try:
        known = Blobs(place).read_if_exists(_RUN)
    except StoreError:
        return ""
    return "" if known is None else str(json.loads(known)["run_id"])


class Output:
    """Files of a report, and those of an earlier one that are no longer part of it.

    Args:
        blobs: The report's root.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        known = blobs.read_if_exists(_MANIFEST)
        self._before: set[str] = set(json.loads(known)) if known is not None else set()
        self.sizes: dict[str, int] = {}

    def write(self, path: str, data: bytes) -> None:
        """Write a file in the place of an earlier one."""
        self._blobs.write(path, data)
        self.sizes[path] = len(data)

    def sheets(self, thumbnails: Thumbnails, names: Iterable[str]) -> None:
        """Copy sheets; one that is there is the same, since its name says what it holds."""
        for name in names:
            path = f"thumbnails/{thumbnails.grid.cell_px}/{name}.webp"
            if path in self._before and self._blobs.exists(path):
                self.sizes[path] = self._blobs.size_bytes(path)
            else:
                self.write(path, thumbnails.sheet(name))

    def finish(self) -> None:
        """Remove what an earlier report left, and note what this one is made of."""
        self._blobs.delete(sorted(self._before - set(self.sizes)))
        self._blobs.write(_MANIFEST, json.dumps(sorted(self.sizes)).encode())


def _covered(
    entries: Sequence[Entry],
    chosen: dict[int, Chosen],
    thumbnails: Thumbnails,
    output: Output,
    noun: str,
) -> Iterator[Entry]:
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


def _sheets_of(contents: Iterable[str], thumbnails: Thumbnails) -> list[str]:
    tiles = [thumbnails.get(content) for content in contents]
    return sorted({tile.sheet for tile in tiles if tile is not None})


def _rejected(groups: Iterable[RejectGroup]) -> Iterator[str]:
    for group in groups:
        yield from (file.content_id for file in group.files)


def _ordered(columns: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Return the columns with the run's labels first."""
    return sorted(columns, key=lambda column: (column not in labels, columns.index(column)))
