"""Results for people, as tables on standard output, or as one JSON document for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from rich.console import Console
from rich.tree import Tree

from artcluster.cli.tables import (
    duration,
    in_bytes,
    new_console,
    print_json,
    print_rows,
    print_table,
)
from artcluster.metrics.measures import MEASURES, label_table
from artcluster.workflows.results import (
    ArchiveCounts,
    AssignedImage,
    ClusterSummary,
    EmbedSummary,
    NoClusters,
    left_out_words,
)

if TYPE_CHECKING:
    from artcluster.workflows.housekeeping.status import StoreStatus


def print_hierarchy(
    console: Console, merges: Sequence[tuple[int, int, float]], sizes: Mapping[int, int]
) -> None:
    """Print how clusters merge into one; the height says how far apart two groups are.

    Args:
        merges: Two clusters and a height, from the lowest up; what merged goes by the first.
    """
    nodes = {number: Tree(f"cluster {number}: {size:,}") for number, size in sizes.items()}
    images = dict(sizes)
    for one, other, height in merges:
        images[one] += images[other]
        node = Tree(f"[dim]{height:.2f}[/]  {images[one]:,}")
        node.children = [nodes[one], nodes.pop(other)]
        nodes[one] = node
    console.print("Hierarchy (height, images)", style="bold")
    for node in nodes.values():
        console.print(node)
    console.print()


def show(
    summaries: Sequence[EmbedSummary | ClusterSummary | NoClusters], json_wanted: bool
) -> None:
    """Print what a job did."""
    if json_wanted:
        named = {_name(summary): asdict(summary) for summary in summaries}
        print_json(named)
        return
    console = new_console()
    for summary in summaries:
        if isinstance(summary, EmbedSummary):
            _show_embedding(console, summary)
        elif isinstance(summary, NoClusters):
            console.print(f"No clusters: {summary.reason}.\n", markup=False, highlight=False)
        else:
            _show_clusters(console, summary)
    seconds: dict[str, float] = {}
    for summary in summaries:
        seconds.update(summary.seconds)
    print_rows(
        console, "Time per stage (s)", [(name, f"{spent:.1f}") for name, spent in seconds.items()]
    )


def show_counts(counts: ArchiveCounts, json_wanted: bool) -> None:
    """Print what a dry run found."""
    if json_wanted:
        print_json(asdict(counts))
        return
    rows = [
        ("listed", f"{counts.listed:,} ({in_bytes(counts.listed_bytes)})"),
        ("new", f"{counts.new:,}"),
        ("changed", f"{counts.changed:,}"),
        ("unchanged", f"{counts.unchanged:,}"),
        ("gone", f"{counts.removed:,}"),
        ("left out", left_out_words(counts.left_out).removeprefix("left out ")),
        ("to embed", f"{counts.todo:,} ({in_bytes(counts.todo_bytes)})"),
    ]
    rows.append(("expected", f"{duration(counts.expected_seconds)}, {counts.expected_from}"))
    print_rows(new_console(), "Plan (nothing was written)", rows)


def show_status(status: StoreStatus, json_wanted: bool) -> None:
    """Print what a store holds."""
    if json_wanted:
        shown = ("run_id", "archive_id", "model_id", "images", "created_at")
        runs = [{name: getattr(run, name) for name in shown} for run in status.runs]
        print_json(asdict(replace(status, runs=())) | {"runs": runs})
        return
    console = new_console()
    print_rows(console, f"Store {status.uri}", [("format", str(status.format_version))])
    for archive in status.archives:
        rows = [("images", f"{archive.images:,}"), ("last scan", str(archive.scan_id))]
        rows += [(f"rejected: {why}", f"{n:,}") for why, n in archive.rejects.items()]
        if archive.unread:
            rows.append(("could not be read", f"{archive.unread:,} (the next job tries again)"))
        print_rows(console, f"Archive {archive.archive_id}", rows)
    print_table(
        console,
        "Embedders",
        ("embedder", "vectors"),
        [(name, f"{count:,}") for name, count in status.embedders.items()],
    )
    print_table(
        console,
        "Runs",
        ("run", "made", "archive", "model", "images"),
        [
            (
                run.run_id,
                f"{run.created_at:%Y-%m-%d %H:%M}",
                run.archive_id,
                run.model_id,
                f"{run.images:,}",
            )
            for run in status.runs
        ],
    )
    if status.last_commit is not None:
        console.print(f"Last commit: {status.last_commit:%Y-%m-%d %H:%M:%S} UTC\n", markup=False)
    print_table(
        console,
        "Beside the tables",
        ("folder", "files", "size", "what"),
        [
            (each.name, f"{each.files:,}", in_bytes(each.size_bytes), each.holds)
            for each in status.folders
        ],
    )
    if status.unknown:
        console.print(
            f"Not of artcluster, and left alone: {', '.join(status.unknown)}\n", markup=False
        )
    for work in status.unfinished:
        rows = [("state", work.detail), ("the same command", work.restart)]
        if work.expected_seconds is not None:
            rows.insert(1, ("expected", f"{duration(work.expected_seconds)} for what is left"))
        print_rows(console, f"Unfinished {work.what} of {work.name}", rows)
    for writer in status.writers:
        command = f" ({writer.command})" if writer.command else ""
        print_rows(
            console,
            f"Lease on {writer.what}",
            [
                ("holder", f"process {writer.pid} on {writer.host}{command}, since {writer.since}"),
                ("state", f"{writer.state}, renewed {duration(writer.renewed_s)} ago"),
                ("a second job would", writer.takeover),
            ],
        )


def show_assigned(images: Sequence[AssignedImage], json_wanted: bool) -> None:
    """Print the clusters of given images."""
    if json_wanted:
        print_json([asdict(image) for image in images])
        return
    print_table(
        new_console(),
        "Clusters by the stored model",
        ("image", "cluster", "confidence", "margin", "second", "remarks"),
        [
            (image.path, "–", "", "", "", f"rejected: {image.reason}")
            if image.cluster is None
            else (
                image.path,
                str(image.cluster),
                f"{image.confidence:.2f}",
                f"{image.margin:.2f}",
                str(image.second_cluster),
                " ".join(image.remarks),
            )
            for image in images
        ],
    )


def _show_embedding(console: Console, summary: EmbedSummary) -> None:
    known = summary.images - summary.embedded
    rows = [
        ("archive", f"{summary.archive_id}, scan {summary.scan_id}"),
        ("embedder", summary.embedder_id),
        ("images", f"{summary.images:,}"),
    ]
    if summary.faces is not None:
        rows.append(("faces in them", f"{summary.faces:,}"))
    if summary.embedded:
        rows.append(("embedded now", f"{summary.embedded:,}"))
    else:
        rows.append(("embedded now", "0 (nothing new)" if summary.images else "0"))
    if summary.embedded and known > 0:
        rows.append(("embedded before", f"{known:,} (including duplicates)"))
    if summary.removed:
        rows.append(("gone since", f"{summary.removed:,}"))
    if summary.damaged:
        rows.append(("damaged, but read", f"{summary.damaged:,} (reason 'damaged' in the tables)"))
    rows += [(f"rejected: {why}", f"{count:,}") for why, count in summary.rejects.items()]
    print_rows(console, "Images", rows + unread_rows(summary))


def unread_rows(summary: EmbedSummary) -> list[tuple[str, str]]:
    """Return what there is to say of files that could not be read: their number and examples."""
    if not summary.unread:
        return []
    rows = [("could not be read", f"{summary.unread:,} (the next job tries again)")]
    rows += [("", f"{path}: {why}") for path, why in summary.unread_examples]
    return rows


def _show_clusters(console: Console, summary: ClusterSummary) -> None:
    again = " (done before; nothing computed)" if summary.already else ""
    metrics = summary.metrics
    rows = [
        ("run", summary.run_id + again),
        ("model", summary.model_id),
        ("images", f"{summary.images:,} ({members_of(summary)})"),
    ]
    if metrics.get("noise"):
        rows.append(("noise", f"{metrics['noise']:,} that belong to no cluster"))
    rows += [
        (measure.label, measure.text(metrics[name]))
        for name, measure in MEASURES.items()
        if name in metrics
    ]
    print_rows(console, f"Clusters by {summary.method}, k = {summary.k}", rows)
    widest = max(summary.sizes.values(), default=1)
    print_table(
        console,
        "Sizes",
        ("cluster", summary.noun, ""),
        [
            (str(number), f"{size:,}", "█" * round(30 * size / widest))
            for number, size in sorted(summary.sizes.items())
        ],
    )
    if summary.merges:
        print_hierarchy(console, summary.merges, summary.sizes)
    labels = metrics.get("labels", {})
    if labels:
        columns, values = label_table(labels)
        print_table(console, "Against labels (never trained on)", columns, values)
    if summary.verdict:
        console.print(f"Refinement: {summary.verdict}\n", markup=False, highlight=False)


def members_of(summary: ClusterSummary) -> str:
    """Return how many members a run has: its distinct images, or their faces."""
    return f"{summary.contents:,} {'distinct' if summary.noun == 'images' else summary.noun}"


def _name(summary: EmbedSummary | ClusterSummary | NoClusters) -> str:
    return "embedding" if isinstance(summary, EmbedSummary) else "clustering"
