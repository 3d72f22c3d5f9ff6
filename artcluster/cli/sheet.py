"""`artcluster sheet`: contact sheets of clusters."""

import io
from pathlib import Path

import click

from artcluster.cli.options import archive_option, run_option, with_config
from artcluster.config import Config
from artcluster.errors import UsageError

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_EPILOG = """\b
Examples:
  artcluster sheet store/ --cluster 3
  artcluster sheet store/ --cluster 3 --caption title --columns 5 --out saints.webp
  artcluster sheet store/ --all --out sheets/cluster.jpg
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.option("--cluster", "wanted", type=int, multiple=True, help="Which; may be repeated.")
@click.option("--all", "every", is_flag=True, help="Every cluster of the run.")
@run_option
@archive_option
@click.option(
    "--out",
    metavar="FILE",
    help="PNG, JPEG or WebP by its ending; by default cluster-N.png here. With several clusters, "
    "each one's number is added to the name.",
)
@click.option("--count", default=48, show_default=True, help="Pictures at most.")
@click.option("--columns", default=8, show_default=True, help="Pictures side by side.")
@click.option("--size", "cell_px", default=180, show_default=True, help="Pixels of each, at most.")
@click.option("--caption", metavar="COLUMN", help="Of the view `latest`; by default file names.")
@click.option("--seed", default=0, show_default=True, help="Chooses the sample.")
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

    from artcluster.cli.whole_file import whole_file
    from artcluster.stages.sheet import SheetSettings, cluster_sheet, clusters_of
    from artcluster.stages.shown import choose_run
    from artcluster.store import Store

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
