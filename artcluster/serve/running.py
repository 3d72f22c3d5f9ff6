"""Starting the server and telling where it is."""

import json
import socket
from collections.abc import Collection

import click
import pyarrow.compute as pc
import uvicorn

from artcluster.config import Config
from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.schema import RUNS
from artcluster.serve.app import make_app
from artcluster.serve.live import Live
from artcluster.serve.report_pages import ReportPages
from artcluster.stages.embedder import cache_folder
from artcluster.stages.pictures import Pictures
from artcluster.stages.progress import Silent
from artcluster.stages.shown import choose_run
from artcluster.stages.similar import SimilarPictures, open_neighbours
from artcluster.store import Store

_COPY_PX = 320


def run_server(
    store: Store,
    report: Location,
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
        store: The store.
        report: Where its report lies.
        config: Every setting.
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
    rows = store.table(RUNS).read(["embedder_id"], pc.field("run_id") == run.run_id)
    embedder_id = rows["embedder_id"][0].as_py()
    neighbours = open_neighbours(
        store, embedder_id, config, cache_folder(), Silent(), resident=True
    )
    neighbours.refresh()
    listening = _listen(*address)
    with listening, Pictures(config, _COPY_PX) as pictures:
        similar = SimilarPictures(store, neighbours, config, threads, run.archive_id)
        live = Live(store, similar, pictures, config, run)
        app = make_app(live, ReportPages(report), hosts, max_upload_bytes)
        host, port = listening.getsockname()[:2]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        click.echo(json.dumps({"url": url}) if as_json else f"Serving {store.location} at {url}")
        settings = uvicorn.Config(
            app, log_level="warning", server_header=False, date_header=False, ws="none"
        )
        uvicorn.Server(settings).run(sockets=[listening])


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
