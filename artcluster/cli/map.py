"""`artcluster map`: a place in the plane for every image."""

from dataclasses import asdict

import click

from artcluster.cli.options import archive_option, with_config
from artcluster.config import Config, load_config

_EPILOG = """\b
Examples:
  artcluster map store/
  artcluster map store/ --method umap
  artcluster map store/ --run 3f2a --set map.perplexity=50
"""


@click.command("map", epilog=_EPILOG)
@click.argument("store")
@click.option("--run", "run_id", metavar="ID", help="Whose model; by default the last run's.")
@archive_option
@click.option("--method", "map_method", metavar="NAME", help="tsne (default) or umap.")
@with_config
def map_command(
    store: str,
    run_id: str | None,
    archive_id: str | None,
    map_method: str | None,
    config: Config,
    as_json: bool,
) -> None:
    """Lay the images of a run of STORE out on a plane: the table `projections`.

    A model has one map. Images that came since it was made are placed in it; nothing in it moves.
    """
    from artcluster.cli.printing import new_console, print_json, print_rows
    from artcluster.cli.session import open_job
    from artcluster.stages.project import project_model
    from artcluster.stages.shown import choose_run

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
