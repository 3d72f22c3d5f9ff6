"""`artcluster serve`: the report, live, with search and upload."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from artcluster.cli.options import archive_option, run_option, with_config
from artcluster.errors import UsageError
from artcluster.projection import LAYOUTS

if TYPE_CHECKING:
    from artcluster.config import Config

_MAP_EPILOG = """\b
Examples:
  artcluster map store/
  artcluster map store/ --method umap
  artcluster map store/ --run 3f2a --set map.perplexity=50
"""


@click.command("map", epilog=_MAP_EPILOG)
@click.argument("store")
@click.option("--run", "run_id", metavar="ID", help="Run to use (default: the last).")
@archive_option
@click.option("--method", "map_method", metavar="NAME", help=f"Layout: {', '.join(LAYOUTS)}.")
@with_config
def map_command(
    store: str,
    run_id: str | None,
    archive_id: str | None,
    map_method: str | None,
    config: Config,
    as_json: bool,
) -> None:
    """Compute a 2-D map of a run's images (table `projections`).

    A model has one map. Images that came since it was made are placed in it; nothing in it moves.
    """
    from artcluster.cli.session import open_job
    from artcluster.cli.tables import new_console, print_json, print_rows
    from artcluster.config import load_config
    from artcluster.workflows.runs import choose_run
    from artcluster.workflows.viewing.map import project_model

    config = load_config(base=config.model_dump(), flags={"map.method": map_method})
    with open_job(config, store, "in-process", create=False) as job:
        model_id = choose_run(job.store, run_id, archive_id).model_id
        made = project_model(job, model_id, map_method)
    if as_json:
        print_json(asdict(made))
        return
    rows = [
        ("model", made.model_id),
        ("method", made.method),
        ("fitted on", f"{made.fitted_on:,} images"),
        ("in the map", f"{made.points:,} images"),
        ("placed now", "nothing is new" if made.already else f"{made.placed:,} images"),
    ]
    print_rows(new_console(), "Map", rows)


_REPORT_EPILOG = """\b
Examples:
  artcluster report store/
  artcluster report store/ --run 3f2a --out /var/www/clusters
  artcluster report s3://museum/store --set report.title="Prints before 1800"
  artcluster report store/ --set report.number_column=accession \\
    --set report.link='https://iiif.museum.org/{number}/full/max/0/default.jpg'
"""


@click.command(epilog=_REPORT_EPILOG)
@click.argument("store")
@run_option
@archive_option
@click.option("--out", metavar="DIR", help="Folder or bucket; by default `report` in the store.")
@click.option(
    "--executor",
    type=click.Choice(["in-process", "ray"]),
    default="in-process",
    show_default=True,
    help="Where to generate thumbnails.",
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
    from artcluster.cli.session import open_job
    from artcluster.cli.tables import in_bytes, new_console, print_json, print_rows
    from artcluster.location import Location
    from artcluster.workflows.viewing.report.make import make_report

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


_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_EPILOG = """\b
Examples:
  artcluster serve store/
  artcluster serve s3://museum/store --port 9000
  artcluster serve store/ --host 0.0.0.0 --allow-host pictures.museum.org

The last run's report is generated in the background if STORE/report is out of date: when the server
starts, and whenever a new run is committed. It is shown once it is complete; until then the pages,
the search and the clusters of uploaded pictures are those of the run before. /report.json says
which run is shown, and whether another is being generated.

It accepts connections from this machine only. There are no users and no passwords: put a web server
that has them in front before you let others in with --host and --allow-host.
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.option("--run", "run_id", metavar="ID", help="Run to show (default: always the latest).")
@archive_option
@click.option("--report", metavar="DIR", help="Serve this existing report; do not generate one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8020,
    show_default=True,
    help="Port (0 = any free port).",
)
@click.option(
    "--allow-host", multiple=True, metavar="NAME", help="Accept this Host header; may be repeated."
)
@click.option(
    "--max-upload-bytes", default=64 << 20, show_default=True, help="Largest picture taken."
)
@with_config
def serve(
    store: str,
    run_id: str | None,
    archive_id: str | None,
    report: str | None,
    host: str,
    port: int,
    allow_host: tuple[str, ...],
    max_upload_bytes: int,
    config: Config,
    as_json: bool,
) -> None:
    """Show STORE's report in a browser, find similar pictures, and look at new ones."""
    try:
        from artcluster.serve.running import run_server
    except ImportError as missing:
        raise UsageError(
            f"serve needs a package that is not installed ({missing.name}): pip install "
            '"artcluster[serve]"'
        ) from None
    from artcluster.executors import make_executor
    from artcluster.location import Location
    from artcluster.runtime.cancellation import Stop
    from artcluster.runtime.executor import usable_cpus
    from artcluster.runtime.progress import Silent, Timings
    from artcluster.store import Store
    from artcluster.store.layout import REPORT
    from artcluster.workflows.job import Job
    from artcluster.workflows.runs import Run
    from artcluster.workflows.viewing.report.make import make_report

    opened = Store.open(store, options=config.store.options)
    place = (
        opened.location.child(REPORT.name)
        if report is None
        else Location.parse(report, config.store.options)
    )
    stop = Stop()

    def draw(run: Run, out: Location) -> None:
        here, silent = make_executor("in-process", stop), Silent()
        job = Job(config, opened, here, here, silent, Timings(silent))
        make_report(job, run.run_id, run.archive_id, out)

    run_server(
        opened,
        place,
        draw if report is None else None,
        stop,
        config,
        usable_cpus(),
        run_id=run_id,
        archive_id=archive_id,
        address=(host, port),
        hosts=(*_LOOPBACK, *allow_host),
        max_upload_bytes=max_upload_bytes,
        as_json=as_json,
    )
