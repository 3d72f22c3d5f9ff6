"""`artcluster edit`: people merge clusters and move images, and take it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from artcluster.cli.options import curation_options, with_config
from artcluster.cli.tables import new_console, print_json, print_table
from artcluster.errors import UsageError

if TYPE_CHECKING:
    from artcluster.config import Config
    from artcluster.workflows.curation.curate import Curation
    from artcluster.workflows.curation.edits import Edit
    from artcluster.workflows.curation.zero_shot_names import ClusterWords

_NAME_EPILOG = """\b
Examples:
  artcluster name store/ 3 "Drawings"
  artcluster name store/ 3 --remove
  artcluster name store/
  artcluster name store/ --words
  artcluster name store/ --words harbour-words.txt

With --words names are suggested, where the store has vectors of a CLIP-like network (--backbone
clip:NAME, extra `clip`): those words of a list (a text file with a word or phrase a line, or the
built-in one of subjects of art) that lie nearest to the mean of a cluster, and farther from those
of the others. The report shows them with their scores, above what metadata suggest; a name that a
person gave stands above both. The words hold for all runs of the series until they are asked for
again; `--words --remove` takes them away.
"""


@click.command(epilog=_NAME_EPILOG)
@click.argument("store")
@click.argument("cluster", type=int, required=False)
@click.argument("name", required=False)
@click.option("--remove", is_flag=True, help="Take the name away.")
@click.option(
    "--words",
    metavar="[FILE]",
    is_flag=False,
    flag_value="subjects",
    help="Suggest names for all clusters from a list of words.",
)
@click.option(
    "--backbone", metavar="NAME", help="For --words: backbone whose vectors to compare with."
)
@curation_options
@with_config
def name(
    store: str,
    cluster: int | None,
    name: str | None,
    remove: bool,
    words: str | None,
    backbone: str | None,
    archive_id: str | None,
    run_id: str | None,
    who: str | None,
    config: Config,
    as_json: bool,
) -> None:
    """Name CLUSTER of STORE; without CLUSTER, list clusters and names.

    Names persist through later updates, even after a refit.
    """
    from artcluster.store import Store
    from artcluster.workflows.curation.curate import Curation

    if words is not None and cluster is not None:
        raise UsageError("--words suggests names for all clusters: leave CLUSTER and NAME out")
    if backbone is not None and (words is None or remove):
        raise UsageError("--backbone only applies to --words; add --words")
    if words is not None and not remove:
        from artcluster.cli.session import open_job
        from artcluster.workflows.curation.zero_shot_names import read_word_list, suggest_words

        listed = read_word_list(words)
        with open_job(config, store, "in-process", create=False) as job:
            curation = Curation(job.store, config, archive_id, run_id, who)
            found = suggest_words(job, curation.run, listed, backbone)
        show_words(found, curation.run.run_id, as_json)
        return
    opened = Store.open(store, options=config.store.options)
    curation = Curation(opened, config, archive_id, run_id, who)
    if words is not None:
        from artcluster.workflows.curation.zero_shot_names import remove_words

        remove_words(opened, curation.run)
    elif cluster is not None:
        if (name is None) != remove:
            raise UsageError("give a NAME, or --remove to take the cluster's name away")
        curation.name(cluster, name)
    show_clusters(curation, as_json)


def show_clusters(curation: Curation, json_wanted: bool) -> None:
    """Print the clusters under their names."""
    clusters = curation.clusters()
    if json_wanted:
        print_json([asdict(cluster) for cluster in clusters])
        return
    by_words = any(each.suggested for each in clusters)
    columns = ("cluster", "name", *(["suggested by words"] if by_words else []), "images")
    rows = [
        (
            str(each.cluster),
            each.name or "",
            *([each.suggested or ""] if by_words else []),
            f"{each.images:,}",
        )
        for each in clusters
    ]
    print_table(new_console(), f"Clusters of run {curation.run.run_id}", columns, rows)


def show_edits(curation: Curation, json_wanted: bool) -> None:
    """Print the edits, oldest first."""
    edits = curation.edits()
    active = {edit.edit_id for edit in edits.active}
    if json_wanted:
        print_json([asdict(edit) | {"holds": edit.edit_id in active} for edit in edits.made])
        return
    rows = [
        (
            edit.edit_id,
            f"{edit.edited_at:%Y-%m-%d %H:%M}",
            edit.who or "",
            _words(edit),
            "" if edit.kind == "undo" else "holds" if edit.edit_id in active else "undone",
        )
        for edit in edits.made
    ]
    print_table(new_console(), "Edits", ("edit", "made", "by", "what", ""), rows)


def _words(edit: Edit) -> str:
    match edit.kind:
        case "undo":
            return f"undo {edit.of_edit}"
        case "move":
            return f"move {edit.path} to {edit.shown_cluster}"
        case "inherit":
            return f"show {edit.cluster} as {edit.shown_cluster}, after {edit.of_edit}"
        case _:
            return f"merge {edit.cluster} into {edit.shown_cluster}"


_SHOWN = 4


def show_words(found: Sequence[ClusterWords], run_id: str, json_wanted: bool) -> None:
    """Print each cluster's best words with their scores."""
    if json_wanted:
        print_json([asdict(each) for each in found])
        return
    rows = []
    for each in found:
        for place, word in enumerate(each.words[:_SHOWN]):
            first = (str(each.cluster), each.name or "–") if not place else ("", "")
            score = (f"{word.cosine:.3f}", f"{word.probability:.1%}", f"{word.lift:.1f}×")
            rows.append((*first, word.text, *score))
        if not each.words:
            rows.append((str(each.cluster), "–", "no vectors", "", "", ""))
    columns = ("cluster", "suggested name", "word", "cosine", "probability", "lift")
    print_table(new_console(), f"Words for the clusters of run {run_id}", columns, rows)


_EPILOG = """\b
Examples:
  artcluster edit store/ merge 3 7
  artcluster edit store/ move portraits/0042.jpg 5
  artcluster edit store/ undo
  artcluster edit store/ list
"""


@dataclass(frozen=True)
class _Editing:
    curation: Curation
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

    Edits persist through later updates, even after a refit; the view `latest` shows them. The
    table `assignments` keeps what the models found.
    """
    from artcluster.store import Store
    from artcluster.workflows.curation.curate import Curation

    opened = Store.open(store, options=config.store.options)
    context.obj = _Editing(Curation(opened, config, archive_id, run_id, who), as_json)


@edit.command()
@click.argument("cluster", type=int)
@click.argument("into", type=int)
@click.pass_obj
def merge(editing: _Editing, cluster: int, into: int) -> None:
    """Merge CLUSTER into INTO."""

    editing.curation.merge(cluster, into)
    show_clusters(editing.curation, editing.as_json)


@edit.command()
@click.argument("path")
@click.argument("into", type=int)
@click.pass_obj
def move(editing: _Editing, path: str, into: int) -> None:
    """Move the image PATH to cluster INTO, overriding the model.

    The image is known by its content: a renamed file stays where it was moved to. Of a run over
    faces, an image with one face can be moved.
    """

    editing.curation.move(path, into)
    show_edits(editing.curation, editing.as_json)


@edit.command()
@click.argument("edit_id", required=False)
@click.pass_obj
def undo(editing: _Editing, edit_id: str | None) -> None:
    """Undo the edit EDIT_ID (default: the latest active one)."""

    editing.curation.undo(edit_id)
    show_edits(editing.curation, editing.as_json)


@edit.command("list")
@click.pass_obj
def list_edits(editing: _Editing) -> None:
    """List all edits, including undone ones."""

    show_edits(editing.curation, editing.as_json)
