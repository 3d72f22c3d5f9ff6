"""`artcluster report`: pages that show a run to people."""

from dataclasses import asdict

import click

from artcluster.cli.options import archive_option, run_option, with_config
from artcluster.config import Config

_EPILOG = """\b
Examples:
  artcluster report store/
  artcluster report store/ --run 3f2a --out /var/www/clusters
  artcluster report s3://museum/store --set report.title="Prints before 1800"
  artcluster report store/ --set report.number_column=accession \\
    --set report.link='https://iiif.museum.org/{number}/full/max/0/default.jpg'
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@run_option
@archive_option
@click.option("--out", metavar="DIR", help="Folder or bucket; by default `report` in the store.")
@click.option(
    "--executor",
    type=click.Choice(["in-process", "ray"]),
    default="in-process",
    show_default=True,
    help="Where small copies of the pictures are made.",
)
@with_config
def report(
    store: str,
    run_id: str | None,
    archive_id: str | None,
    out: str | None,
    executor: str,
    config: Config,
    as_json: bool,
) -> None:
    """Draw a run of STORE as pages that open from disk or from any web server.

    Small copies of the pictures are kept in STORE: the next report makes only new ones.
    """
    from artcluster.cli.printing import in_bytes, new_console, print_json, print_rows
    from artcluster.cli.session import open_job
    from artcluster.location import Location
    from artcluster.stages.report.make import make_report

    place = None if out is None else Location.parse(out, config.store.options)
    with open_job(config, store, executor, create=False) as job:
        made = make_report(job, run_id, archive_id, place)
    if as_json:
        print_json(asdict(made))
        return
    rows = [
        ("run", made.run_id),
        ("images", f"{made.images:,} in {made.clusters:,} clusters"),
        ("pages", f"{made.pages:,} ({in_bytes(made.size_bytes)} with pictures)"),
    ]
    if made.unread:
        rows.append(("without a picture", f"{made.unread:,}: originals that cannot be read"))
    print_rows(new_console(), "Report", [*rows, ("open", made.first_page)])
