"""The profile of an archive: what its metadata, sizes and colours tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from artcluster.workflows.archives import choose_archive
from artcluster.workflows.job import Job
from artcluster.workflows.studies.profile_colours import ColourDistances, colour_distances
from artcluster.workflows.studies.profile_counts import (
    ColumnCounts,
    Cross,
    Sizes,
    count_column,
    count_decades,
    cross,
    guess,
    open_images,
    pixel_sizes,
)


@dataclass(frozen=True)
class ArchiveProfile:
    """What an archive holds.

    Attributes:
        columns: Counts of every metadata column.
        decades: Counts by decade; None without a column of years.
        colours: Distances of colour histograms; None without a column to group by.
    """

    archive_id: str
    images: int
    contents: int
    columns: Sequence[ColumnCounts]
    decades: ColumnCounts | None
    crosses: Sequence[Cross]
    sizes: Sizes
    colours: ColourDistances | None


def make_profile(
    job: Job,
    archive_id: str | None,
    *,
    style: str | None = None,
    genre: str | None = None,
    year: str | None = None,
    colours: bool = True,
) -> ArchiveProfile:
    """Count an archive's metadata and pixel sizes, and compare colours between styles.

    Reads the store alone, but for the pictures of a sample whose colour histograms it does not
    have. Writes nothing.

    Args:
        style: Column whose values are compared; None for one whose name sounds like it.
        genre: Column that it is crossed with; the same.
        year: Column of years or dates; the same.
        colours: Whether to compare colours, for which pictures may have to be read.

    Raises:
        UsageError: There is no such archive or column.
    """
    archive_id = choose_archive(job.store, archive_id)
    settings = job.config.profile
    with open_images(job, archive_id) as images:
        for asked in (style, genre, year):
            if asked is not None:
                images.name(asked)
        with job.timings.stage("count", len(images.columns), "columns"):
            counted = []
            for column in images.columns:
                counted.append(count_column(images, column, settings.max_values))
                job.progress.advance("count", 1)
        grouping = [each.column for each in counted if each.groups]
        style = guess(grouping, style, "style") or next(iter(grouping), None)
        genre = guess([each for each in grouping if each != style], genre, "genre")
        year = guess(images.columns, year, "year")
        decades = None if year is None else count_decades(images, year)
        crosses = []
        with job.timings.stage("cross"):
            if style is not None and year is not None and decades is not None and decades.filled:
                crosses.append(cross(images, style, year, settings.max_values, decades=True))
            if style is not None and genre is not None and genre != style:
                crosses.append(cross(images, style, genre, settings.max_values, decades=False))
            sizes = pixel_sizes(images)
        compared = None
        if colours and style is not None:
            with job.timings.stage("compare colours"):
                compared = colour_distances(job, images, style)
        return ArchiveProfile(
            archive_id,
            images.images,
            images.contents,
            counted,
            decades,
            crosses,
            sizes,
            compared,
        )
