"""`artcluster diff`: what is other from one run to another."""

import click

from artcluster.cli.options import with_config
from artcluster.config import Config

_EPILOG = """\b
Examples:
  artcluster diff store/ 3f2a9c last
  artcluster diff store/ 3f2a9c 81be04 --moved 1000 --json

A run may be named by the beginning of its id, or as `last`.
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.argument("run_a")
@click.argument("run_b")
@click.option(
    "--moved", type=click.IntRange(0), default=20, show_default=True, help="Moved images to list."
)
@with_config
def diff(
    store: str,
    run_a: str,
    run_b: str,
    moved: int,
    config: Config,
    as_json: bool,
) -> None:
    """Compare two runs of STORE: images that came, went and moved, clusters, agreement."""
    from artcluster.cli.show_comparison import show_comparison
    from artcluster.stages.compare_runs import compare_runs
    from artcluster.stages.series import find_run, read_runs
    from artcluster.store import Store

    opened = Store.open(store, options=config.store.options)
    known = read_runs(opened)
    old, new = find_run(known, run_a), find_run(known, run_b)
    found = compare_runs(opened, config, old, new, moved_limit=moved)
    show_comparison(old, new, found, as_json)
