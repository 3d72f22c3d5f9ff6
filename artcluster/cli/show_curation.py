"""Clusters as people see them, and the edits that made them so."""

from dataclasses import asdict

from artcluster.cli.printing import new_console, print_json, print_table
from artcluster.stages.curation import Curation
from artcluster.stages.edits import Edit


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
