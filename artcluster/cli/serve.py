"""`artcluster serve`: the report, live, with search and upload."""

import click

from artcluster.cli.options import archive_option, with_config
from artcluster.config import Config
from artcluster.errors import UsageError

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_EPILOG = """\b
Examples:
  artcluster serve store/
  artcluster serve s3://museum/store --port 9000
  artcluster serve store/ --host 0.0.0.0 --allow-host pictures.museum.org

The report of the last run is drawn in the background where STORE/report is not it: when the server
starts, and whenever a new run is committed. It is shown once it is whole; until then the pages, the
search and the clusters of uploaded pictures are those of the run before. /report.json says which
run is shown, and whether another is being drawn.

It answers this machine alone. There are no users and no passwords: put a web server that has
them in front before you let others in with --host and --allow-host.
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.option("--run", "run_id", metavar="ID", help="Which run; by default the last one, always.")
@archive_option
@click.option("--report", metavar="DIR", help="Show this report as it is, and draw none.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", default=8020, show_default=True, help="0 takes a free one.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="A name it may be called by.")
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
    from artcluster.stages.hardware import usable_cpus
    from artcluster.stages.job import Job
    from artcluster.stages.progress import Silent, Timings
    from artcluster.stages.report.make import make_report
    from artcluster.stages.shown import ShownRun
    from artcluster.stages.stop import Stop
    from artcluster.store import Store

    opened = Store.open(store, options=config.store.options)
    place = (
        opened.location.child("report")
        if report is None
        else Location.parse(report, config.store.options)
    )
    stop = Stop()

    def draw(run: ShownRun, out: Location) -> None:
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
