"""`artcluster sheet`: contact sheets of clusters."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from artcluster.cli.options import archive_option, run_option, with_config
from artcluster.errors import UsageError
from artcluster.workflows.viewing.exports import TARGETS, write_export

if TYPE_CHECKING:
    from artcluster.config import Config

_TARGET_ENDINGS = ", ".join(
    f"{name} ({' or '.join(each.endings)})" for name, each in TARGETS.items()
)

_EXPORT_EPILOG = """\b
Examples:
  artcluster export store/ --to csv --out works.csv
  artcluster export store/ --to embedding-atlas --out atlas.parquet
  artcluster export store/ --to fiftyone --out labels.json

Each row has image, cluster, name, confidence, position on the map where there is one, and
metadata.
"""


@click.command(epilog=_EXPORT_EPILOG)
@click.argument("store")
@click.option(
    "--to",
    "program",
    type=click.Choice(list(TARGETS)),
    required=True,
    help=f"Program to write for, by the ending of --out: {_TARGET_ENDINGS}.",
)
@click.option("--out", metavar="FILE", required=True, help="The file to write.")
@run_option
@archive_option
@click.option("--size", "thumbnail_px", default=128, show_default=True, help="Side of thumbnails.")
@with_config
def export(
    store: str,
    program: str,
    out: str,
    run_id: str | None,
    archive_id: str | None,
    thumbnail_px: int,
    config: Config,
    as_json: bool,
) -> None:
    """Write the images of STORE with clusters and metadata for another program."""
    from artcluster.cli.console import progress_for_terminal
    from artcluster.cli.tables import whole_file
    from artcluster.store import Store
    from artcluster.workflows.runs import choose_run
    from artcluster.workflows.viewing.exports.rows import Export

    if not 16 <= thumbnail_px <= 1024:
        raise UsageError(f"--size: expected 16 to 1024, got {thumbnail_px}")
    opened = Store.open(store, options=config.store.options)
    run = choose_run(opened, run_id, archive_id)
    with progress_for_terminal() as progress:
        what = Export(opened, run, config, progress, whole_file, thumbnail_px)
        advice = write_export(program, what, Path(out))
    click.echo(json.dumps({"run_id": run.run_id, "out": out}) if as_json else advice)


_SORT_EPILOG = """\b
Examples:
  artcluster sort store/ sorted/
  artcluster sort store/ sorted/ --copy --rejects
  artcluster sort s3://museum/store sorted/ --run 39d207b4

Links are made where the archive lies on this machine's disks, copies elsewhere. The same
command again brings the folders up to the store: it removes what it made before and nothing
else.
"""


@click.command(epilog=_SORT_EPILOG)
@click.argument("store")
@click.argument("out")
@run_option
@archive_option
@click.option("--copy", is_flag=True, help="Copy images instead of linking to them.")
@click.option("--rejects", is_flag=True, help="Sort rejected files, too, by reason.")
@click.option("--noise", is_flag=True, help="Sort images that belong to no cluster, too.")
@with_config
def sort(
    store: str,
    out: str,
    run_id: str | None,
    archive_id: str | None,
    copy: bool,
    rejects: bool,
    noise: bool,
    config: Config,
    as_json: bool,
) -> None:
    """Sort the images of STORE into OUT, one folder per cluster."""
    from artcluster.cli.console import progress_for_terminal
    from artcluster.store import Store
    from artcluster.workflows.runs import choose_run
    from artcluster.workflows.viewing.sort import SortSettings, sort_images

    opened = Store.open(store, options=config.store.options)
    run = choose_run(opened, run_id, archive_id)
    settings = SortSettings(copy, rejects, noise)
    with progress_for_terminal() as progress:
        summary = sort_images(opened, run, Path(out), settings, config, progress)
    if as_json:
        click.echo(json.dumps(asdict(summary), indent=2))
        return
    click.echo(f"{out}: {summary.files:,} images in {summary.folders:,} folders")
    for count, words in (
        (summary.made, "made now"),
        (summary.removed, "removed, of an earlier sorting"),
        (summary.left_alone, "not sorted: a file of another origin has the name"),
        (summary.missing, "not sorted: gone, unreadable, or changed since"),
    ):
        if count:
            click.echo(f"  {count:,} {words}")


_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_EPILOG = """\b
Examples:
  artcluster sheet store/ --cluster 3
  artcluster sheet store/ --cluster 3 --caption title --columns 5 --out saints.webp
  artcluster sheet store/ --all --out sheets/cluster.jpg
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.option(
    "--cluster", "wanted", type=int, multiple=True, help="Cluster number; may be repeated."
)
@click.option("--all", "every", is_flag=True, help="Every cluster of the run.")
@run_option
@archive_option
@click.option(
    "--out",
    metavar="FILE",
    help="PNG, JPEG or WebP by its ending; by default cluster-N.png here. With several clusters, "
    "each one's number is added to the name.",
)
@click.option("--count", default=48, show_default=True, help="Maximum number of pictures.")
@click.option("--columns", default=8, show_default=True, help="Pictures side by side.")
@click.option("--size", "cell_px", default=180, show_default=True, help="Pixels of each, at most.")
@click.option(
    "--caption",
    metavar="COLUMN",
    help="Caption: a column of the view `latest` (default: file name).",
)
@click.option("--seed", default=0, show_default=True, help="Random seed for the sample.")
@click.option("--font", "font_file", metavar="FILE", help="For captions in other scripts.")
@with_config
def sheet(
    store: str,
    wanted: tuple[int, ...],
    every: bool,
    run_id: str | None,
    archive_id: str | None,
    out: str | None,
    count: int,
    columns: int,
    cell_px: int,
    caption: str | None,
    seed: int,
    font_file: str | None,
    config: Config,
    as_json: bool,
) -> None:
    """Draw a cluster of STORE as one image: its medoids, framed, then a sample of the rest."""
    import json

    from artcluster.cli.tables import whole_file
    from artcluster.store import Store
    from artcluster.workflows.runs import choose_run
    from artcluster.workflows.viewing.contact_sheet import SheetSettings, cluster_sheet, clusters_of

    if bool(wanted) == every:
        raise UsageError("sheet: expected either --cluster N or --all")
    target = Path(out or "cluster.png")
    if target.suffix.lower() not in _FORMATS:
        raise UsageError(f"--out: expected a file ending in {', '.join(_FORMATS)}, got {out!r}")
    settings = SheetSettings(
        count, columns, cell_px, caption, seed, None if font_file is None else Path(font_file)
    )
    opened = Store.open(store, options=config.store.options)
    run = choose_run(opened, run_id, archive_id)
    written = []
    clusters = clusters_of(opened, run, config) if every else wanted
    for cluster in clusters:
        drawn = cluster_sheet(opened, run, cluster, settings, config)
        alone = out is not None and len(clusters) == 1
        place = target if alone else target.with_stem(f"{target.stem}-{cluster}")
        encoded = io.BytesIO()
        drawn.save(encoded, _FORMATS[target.suffix.lower()], quality=90)
        with whole_file(place) as file:
            file.write(encoded.getvalue())
        written.append(str(place))
        if not as_json:
            click.echo(f"{place}: {drawn.width} × {drawn.height} pixels")
    if as_json:
        click.echo(json.dumps({"run_id": run.run_id, "files": written}, indent=2))
