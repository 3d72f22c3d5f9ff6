"""Words that fit clusters, as a table or as JSON."""

from collections.abc import Sequence
from dataclasses import asdict

from artcluster.cli.printing import new_console, print_json, print_table
from artcluster.stages.word_names import ClusterWords

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
