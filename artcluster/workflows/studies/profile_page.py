"""What a profile tells: tables, counts and shaded matrices."""

from artcluster.metrics.number_format import decimal, mean_of
from artcluster.pages.findings import Bars, Block, Findings, FindingsTable, Heat, Section
from artcluster.workflows.studies.profile import ArchiveProfile
from artcluster.workflows.studies.profile_colours import ColourDistances
from artcluster.workflows.studies.profile_counts import ColumnCounts, Cross, Sizes


def profile_findings(profile: ArchiveProfile) -> Findings:
    """Return what an archive holds, for a page."""
    duplicates = profile.images - profile.contents
    lead = f"{profile.images:,} images" + (
        f", {duplicates:,} of them exact duplicates" if duplicates else ""
    )
    sections = [
        Section(
            "Metadata",
            "Columns whose values name single images are not counted value by value.",
            [_columns(profile), *(_bars(each) for each in profile.columns if each.groups)],
        )
    ]
    if profile.decades is not None and profile.decades.values:
        bars = Bars(f"Decades of {profile.decades.column}", profile.decades.values)
        sections.append(Section("Time", "", [bars]))
    if profile.crosses:
        sections.append(
            Section(
                "Against each other",
                "Images that have both; a cell is shaded by its share of its row.",
                [_cross(each) for each in profile.crosses],
            )
        )
    sections.append(Section("Pixel sizes", "", _sizes(profile.sizes)))
    if profile.colours is not None:
        sections.append(_colours(profile.colours))
    return Findings(
        title=f"ArchiveProfile of {profile.archive_id}",
        lead=lead + ".",
        sections=sections,
        foot=profile.archive_id,
    )


def _columns(profile: ArchiveProfile) -> FindingsTable:
    rows = [
        [
            each.column,
            f"{each.filled:,}",
            f"{each.filled / profile.images:.0%}",
            f"{each.distinct:,}",
            f"{each.values[0][0]} ({each.values[0][1]:,})" if each.values else "–",
        ]
        for each in profile.columns
    ]
    return FindingsTable(
        "", ["column", "images", "filled", "distinct values", "most frequent"], rows
    )


def _bars(counts: ColumnCounts) -> Bars:
    more = counts.distinct - len(counts.values)
    left = f"{more:,} further values: {counts.others:,} images." if more else ""
    return Bars(counts.column, counts.values, left)


def _cross(each: Cross) -> Heat:
    cells = []
    for counts in each.counts:
        total = max(1, sum(counts))
        cells.append([(f"{count:,}", count / total) if count else None for count in counts])
    return Heat(
        f"{each.row_column} against {each.column}", each.row_column, each.columns, each.rows, cells
    )


def _sizes(sizes: Sizes) -> list[Block]:
    rows = [[name, *map(decimal, values)] for name, values in sizes.quantiles.items() if values]
    heads = ["", *(f"{share:.0%}" for share in sizes.shares)]
    heads[1], heads[4], heads[-1] = "least", "median", "most"
    steps = [f"≤ {side:,}" for side in sizes.sides] + [f"> {sizes.sides[-1]:,}"]
    used_rows = [n for n, row in enumerate(sizes.by_side) if any(row)]
    used = [n for n in range(len(steps)) if any(row[n] for row in sizes.by_side)]
    most = max((count for row in sizes.by_side for count in row), default=1) or 1
    heat = Heat(
        "Height against width",
        "height (px)",
        [steps[column] for column in used],
        [steps[row] for row in used_rows],
        [
            [
                (f"{sizes.by_side[row][column]:,}", sizes.by_side[row][column] / most)
                if sizes.by_side[row][column]
                else None
                for column in used
            ]
            for row in used_rows
        ],
        f"Width in pixels across; {sizes.known:,} images whose size is known.",
    )
    title = "Quantiles" if sizes.exact else "Quantiles, approximate"
    return [FindingsTable(title, heads, rows), heat, Bars("Formats", sizes.formats)]


def _colours(colours: ColourDistances) -> Section:
    known = [value for row in colours.distances for value in row if value is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    span = max(high - low, 1e-9)
    heat = Heat(
        "Mean chi-square distance of colour histograms",
        colours.column,
        colours.groups,
        colours.groups,
        [
            [None if v is None else (f"{v:.3f}", (v - low) / span) for v in row]
            for row in colours.distances
        ],
        "½ Σ (x − y)² / (x + y) over 512 colours: 0 is alike, 1 has no colour in common. Means "
        "over all pairs of pictures compared; the diagonal is within a group.",
    )
    rows = [
        [
            group,
            f"{size:,}",
            f"{sampled:,}",
            decimal(colours.distances[n][n]),
            decimal(mean_of([each for m, each in enumerate(colours.distances[n]) if m != n])),
        ]
        for n, (group, size, sampled) in enumerate(
            zip(colours.groups, colours.sizes, colours.sampled, strict=True)
        )
    ]
    table = FindingsTable(
        "", [colours.column, "images", "compared", "within", "to the others"], rows
    )
    points = []
    if colours.within is not None and colours.between is not None:
        ratio = "farther apart" if colours.between > colours.within else "no farther apart"
        points.append(
            f"Pictures of different {colours.column} are {ratio} in colour than those of one: "
            f"{colours.between:.3f} between, {colours.within:.3f} within (means over groups)."
        )
    if sum(colours.sampled) < sum(colours.sizes):
        points.append(
            f"{sum(colours.sampled):,} of {sum(colours.sizes):,} pictures were compared, at most "
            "the same number of each group."
        )
    return Section("Colours", "", [table, heat], points)
