"""Two runs compared, and the list of runs, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from artcluster.cli.options import with_config
from artcluster.cli.tables import new_console, print_json, print_rows, print_table

if TYPE_CHECKING:
    from artcluster.config import Config
    from artcluster.lineage.matching import Change
    from artcluster.workflows.clustering.run_pair import ImageChanges
    from artcluster.workflows.growing.diff import RunComparison
    from artcluster.workflows.runs import Run

_EPILOG = """\b
Examples:
  artcluster diff store/ 3f2a9c last
  artcluster diff store/ 3f2a9c 81be04 --moved 1000 --json

RUN is a run ID, a unique prefix of one, or `last`.
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
    from artcluster.store import Store
    from artcluster.workflows.growing.diff import compare_runs
    from artcluster.workflows.runs import choose_pair

    opened = Store.open(store, options=config.store.options)
    old, new = choose_pair(opened, run_a, run_b)
    comparison = compare_runs(opened, config, old, new, moved_limit=moved)
    show_comparison(old, new, comparison, as_json)


_RUNS_EPILOG = """\b
Examples:
  artcluster runs store/
  artcluster runs s3://museum/store --archive-id met --json
"""


@click.command(epilog=_RUNS_EPILOG)
@click.argument("store")
@click.option("--archive-id", metavar="NAME", help="Only runs of this archive.")
@with_config
def runs(
    store: str,
    archive_id: str | None,
    config: Config,
    as_json: bool,
) -> None:
    """List the runs of STORE, oldest first, with the run that each follows."""
    from artcluster.store import Store
    from artcluster.workflows.runs import read_runs

    opened = Store.open(store, options=config.store.options)
    show_runs(read_runs(opened, archive_id), as_json)


_MODEL = {"first": "fitted", "new": "fitted anew", "warm": "refitted", "kept": "kept"}


def show_comparison(old: Run, new: Run, comparison: RunComparison, json_wanted: bool) -> None:
    """Print what is other in a later run."""
    if json_wanted:
        print_json({"old": old.run_id, "new": new.run_id, **asdict(comparison)})
        return
    from artcluster.metrics.measures import LABEL_MEASURES

    console = new_console()
    print_rows(
        console, f"Images, from run {old.run_id} to {new.run_id}", image_rows(comparison.images)
    )
    ari = LABEL_MEASURES["ari"]
    agreement = [(ari.title, ari.text(comparison.ari))]
    if comparison.kept_share is not None:
        agreement.append(("kept their cluster's number", f"{comparison.kept_share:.1%}"))
    if comparison.best_share is not None:
        agreement.append(("the most any relabelling could keep", f"{comparison.best_share:.1%}"))
    print_rows(console, "Agreement on the contents that both have", agreement)
    if comparison.matched:
        pairs = [(str(before), str(now)) for before, now in sorted(comparison.matched.items())]
        print_table(console, "Clusters that share most (runs of two series)", ("old", "new"), pairs)
    else:
        columns = ("before", "now", "what", "members shared", "of", "in")
        print_table(console, "Clusters", columns, change_rows(comparison))
    if comparison.moved:
        rows = [
            (str(row["path"]), str(row["old_cluster"]), str(row["new_cluster"]))
            for row in comparison.moved
        ]
        total = comparison.images.untouched - comparison.images.same_cluster
        title = f"Images in another cluster ({len(rows):,} of {total:,})"
        print_table(console, title, ("image", "before", "now"), rows)


def show_runs(runs: Sequence[Run], json_wanted: bool) -> None:
    """Print runs, oldest first."""
    if json_wanted:
        print_json([asdict(run) for run in runs])
        return
    columns = ("run", "follows", "made", "images", "clusters", "model")
    console = new_console()
    for archive_id in dict.fromkeys(run.archive_id for run in runs):
        rows = [
            (
                run.run_id,
                run.parent or "–",
                f"{run.created_at:%y-%m-%d %H:%M}",
                f"{run.images:,}",
                str(run.metrics.get("non_empty", "–")),
                _MODEL[run.decision.get("model", "new" if run.parent else "first")],
            )
            for run in runs
            if run.archive_id == archive_id
        ]
        print_table(console, f"Runs of {archive_id}", columns, rows)


def image_rows(images: ImageChanges) -> list[tuple[str, str]]:
    """Return what became of images as rows of words."""
    return [
        ("new", f"{images.new:,}"),
        ("changed", f"{images.changed:,}"),
        ("moved", f"{images.moved:,}"),
        ("gone", f"{images.removed:,}"),
        ("untouched", f"{images.untouched:,}, of which {images.same_cluster:,} kept their cluster"),
    ]


def change_rows(comparison: RunComparison) -> list[tuple[str, ...]]:
    """Return what became of clusters as rows of words."""

    def name(cluster: int | None) -> str:
        if cluster is None:
            return "–"
        return f"{cluster} {comparison.names.get(cluster, '')}".strip()

    def row(change: Change) -> tuple[str, ...]:
        counts = (change.overlap, change.old_size, change.new_size)
        words = (name(change.old_cluster), name(change.new_cluster), change.kind)
        return (*words, *(f"{count:,}" for count in counts))

    return [row(change) for change in comparison.clusters]
