"""Starting the server and telling where it is."""

import json
import socket
import tempfile
from collections.abc import Collection
from pathlib import Path

import click
import uvicorn

from artcluster.config import Config
from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.runtime.cancellation import Stop
from artcluster.serve.app import make_app
from artcluster.serve.live import Live
from artcluster.serve.live_report import Draw, LiveReport
from artcluster.store import Store
from artcluster.workflows.embedding.pictures import Pictures
from artcluster.workflows.runs import choose_run

_COPY_PX = 320
_LAST_S = 10.0
"""A report that is being drawn is given so long to end, once it was asked to."""


def run_server(
    store: Store,
    report: Location,
    draw: Draw | None,
    stop: Stop,
    config: Config,
    threads: int,
    *,
    run_id: str | None,
    archive_id: str | None,
    address: tuple[str, int],
    hosts: Collection[str],
    max_upload_bytes: int,
    as_json: bool,
) -> None:
    """Serve until interrupted.

    Args:
        report: Where its report lies.
        draw: Draws the report of a run, in a thread; None to show the one that lies there as it is.
        stop: Ends the drawing of a report.
        threads: CPU threads for pictures that are handed in.
        run_id: Which run; None for an archive's last one.
        archive_id: Which archive; None for the only one.
        address: Host and port to listen at; port 0 for a free one.
        hosts: Names the server may be called by.
        max_upload_bytes: Larger pictures are refused.
        as_json: Print the address as JSON.

    Raises:
        UsageError: There is no run, or the address is taken.
    """
    run = choose_run(store, run_id, archive_id)
    listening = _listen(*address)
    folder = tempfile.TemporaryDirectory(prefix="artcluster-report-", ignore_cleanup_errors=True)
    with listening, folder, Pictures(config, _COPY_PX) as pictures:
        shown = LiveReport(store, report, run, draw, Path(folder.name))
        live = Live(store, pictures, config, threads, shown.run)
        shown.on_show(live.show)
        shown.look()
        app = make_app(live, shown, hosts, max_upload_bytes)
        host, port = listening.getsockname()[:2]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        click.echo(json.dumps({"url": url}) if as_json else f"Serving {store.location} at {url}")
        settings = uvicorn.Config(
            app, log_level="warning", server_header=False, date_header=False, ws="none"
        )
        try:
            uvicorn.Server(settings).run(sockets=[listening])
        finally:
            stop.ask()
            shown.close(_LAST_S)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        # Before the address is told, so that whoever reads it can connect.
        listening.listen(128)
    except (OSError, OverflowError) as failed:
        raise UsageError(
            f"cannot listen at {host}:{port}: {failed}. Choose another with --host and --port."
        ) from None
    return listening
