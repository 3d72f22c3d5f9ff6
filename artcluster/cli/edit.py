"""`artcluster edit`: people merge clusters and move images, and take it back."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from artcluster.cli.options import curation_options, with_config
from artcluster.config import Config

if TYPE_CHECKING:
    from artcluster.stages.curation import Curation

_EPILOG = """\b
Examples:
  artcluster edit store/ merge 3 7
  artcluster edit store/ move portraits/0042.jpg 5
  artcluster edit store/ undo
  artcluster edit store/ list
"""


@dataclass(frozen=True)
class _Editing:
    curation: "Curation"
    as_json: bool


@click.group(epilog=_EPILOG)
@click.argument("store")
@curation_options
@with_config
@click.pass_context
def edit(
    context: click.Context,
    store: str,
    archive_id: str | None,
    run_id: str | None,
    who: str | None,
    config: Config,
    as_json: bool,
) -> None:
    """Correct the clusters of STORE by hand.

    Edits hold in every later update, also where a model is fitted again; the view `latest` shows
    them. What the models say stays in the table `assignments`.
    """
    from artcluster.stages.curation import Curation
    from artcluster.store import Store

    opened = Store.open(store, options=config.store.options)
    context.obj = _Editing(Curation(opened, config, archive_id, run_id, who), as_json)


@edit.command()
@click.argument("cluster", type=int)
@click.argument("into", type=int)
@click.pass_obj
def merge(editing: _Editing, cluster: int, into: int) -> None:
    """Show all that is in CLUSTER as INTO."""
    from artcluster.cli.show_curation import show_clusters

    editing.curation.merge(cluster, into)
    show_clusters(editing.curation, editing.as_json)


@edit.command()
@click.argument("path")
@click.argument("into", type=int)
@click.pass_obj
def move(editing: _Editing, path: str, into: int) -> None:
    """Show the image PATH in cluster INTO, whatever the models say.

    The image is known by its content: a renamed file stays where it was moved to. Of a run over
    faces, an image with one face can be moved.
    """
    from artcluster.cli.show_curation import show_edits

    editing.curation.move(path, into)
    show_edits(editing.curation, editing.as_json)


@edit.command()
@click.argument("edit_id", required=False)
@click.pass_obj
def undo(editing: _Editing, edit_id: str | None) -> None:
    """Undo the edit EDIT_ID, by default the last one that holds."""
    from artcluster.cli.show_curation import show_edits

    editing.curation.undo(edit_id)
    show_edits(editing.curation, editing.as_json)


@edit.command("list")
@click.pass_obj
def list_edits(editing: _Editing) -> None:
    """List all edits, the undone ones too."""
    from artcluster.cli.show_curation import show_edits

    show_edits(editing.curation, editing.as_json)
