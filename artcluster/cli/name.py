"""`artcluster name`: clusters are given names, which go on with them from run to run."""

import click

from artcluster.cli.options import curation_options, with_config
from artcluster.config import Config
from artcluster.errors import UsageError
from artcluster.stages.word_lists import SUBJECTS

_EPILOG = """\b
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


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.argument("cluster", type=int, required=False)
@click.argument("name", required=False)
@click.option("--remove", is_flag=True, help="Take the name away.")
@click.option(
    "--words",
    metavar="[FILE]",
    is_flag=False,
    flag_value=SUBJECTS,
    help="Suggest names for all clusters from a list of words.",
)
@click.option("--backbone", metavar="NAME", help="For --words: whose vectors to compare with.")
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

    A name holds for the cluster in every later update, also where it is fitted again.
    """
    from artcluster.cli.show_curation import show_clusters
    from artcluster.stages.curation import Curation
    from artcluster.store import Store

    if words is not None and cluster is not None:
        raise UsageError("--words suggests names for all clusters: leave CLUSTER and NAME out")
    if backbone is not None and (words is None or remove):
        raise UsageError("--backbone says whose vectors --words compares with: give --words, too")
    if words is not None and not remove:
        from artcluster.cli.session import open_job
        from artcluster.cli.show_words import show_words
        from artcluster.stages.word_lists import read_word_list
        from artcluster.stages.word_names import suggest_words

        listed = read_word_list(words)
        with open_job(config, store, "in-process", create=False) as job:
            curation = Curation(job.store, config, archive_id, run_id, who)
            found = suggest_words(job, curation.run, run_id is not None, listed, backbone)
        show_words(found, curation.run.run_id, as_json)
        return
    opened = Store.open(store, options=config.store.options)
    curation = Curation(opened, config, archive_id, run_id, who)
    if words is not None:
        from artcluster.stages.word_names import remove_words

        remove_words(opened, curation.run)
    elif cluster is not None:
        if (name is None) != remove:
            raise UsageError("give a NAME, or --remove to take the cluster's name away")
        curation.name(cluster, name)
    show_clusters(curation, as_json)
