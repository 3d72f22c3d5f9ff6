"""A comparison of methods as the store has it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from artcluster.schema import COMPARISONS
from artcluster.stages.trials.trial import known_trials
from artcluster.store import Store


@dataclass(frozen=True)
class Comparison:
    """A finished comparison.

    Attributes:
        comparison_id: Its name.
        archive_id: The archive.
        common: The embedder of the common space.
        points: Contents that were clustered.
        sampled_from: Contents that there were to choose from.
        labels: The labels, in their order.
        where: Which images; None for all.
        made: When, UTC.
        rows: Rows of the table `comparisons`, by method in the order asked, k and seed; `labels`
            of each is read.
        trials: The rows of `trials`, by trial_id.
        already: Whether it was made before.
        seconds: Spent now, a stage.
    """

    comparison_id: str
    archive_id: str
    common: str
    points: int
    sampled_from: int
    labels: Sequence[str]
    where: str | None
    made: str
    rows: Sequence[Mapping[str, Any]]
    trials: Mapping[str, Mapping[str, Any]]
    already: bool = False
    seconds: Mapping[str, float] | None = None

    @property
    def names(self) -> list[str]:
        """The methods as they were asked for."""
        return list(dict.fromkeys(row["name"] for row in self.rows))

    @property
    def ks(self) -> list[int]:
        """The numbers of clusters, ascending."""
        return sorted({row["k"] for row in self.rows})

    @property
    def seeds(self) -> list[int]:
        """The seeds, ascending."""
        return sorted({row["seed"] for row in self.rows})


def read_comparison(store: Store, comparison_id: str) -> Comparison | None:
    """Return a comparison as the store has it."""
    rows = store.table(COMPARISONS).read(None, pc.field("comparison_id") == comparison_id)
    return _comparison(store, rows.to_pylist()) if rows.num_rows else None


def read_comparisons(store: Store, archive_id: str, most: int) -> list[Comparison]:
    """Return an archive's last comparisons, the newest first."""
    table = store.table(COMPARISONS)
    mine = pc.field("archive_id") == archive_id
    known = table.read(["comparison_id", "created_at"], mine)
    newest = known.group_by("comparison_id").aggregate([("created_at", "max")])
    ids = newest.sort_by([("created_at_max", "descending")])["comparison_id"].to_pylist()[:most]
    found = (read_comparison(store, comparison_id) for comparison_id in ids)
    return [each for each in found if each is not None]


def _comparison(store: Store, rows: Sequence[dict[str, Any]]) -> Comparison:
    first = rows[0]
    asked = json.loads(first["asked"])
    chosen = asked["labels"]
    return Comparison(
        comparison_id=first["comparison_id"],
        archive_id=first["archive_id"],
        common=asked["common"],
        points=asked["points"],
        sampled_from=asked["sampled_from"],
        labels=list(dict.fromkeys([*chosen["columns"], *(each[1] for each in chosen["mapped"])])),
        where=asked["where"],
        made=f"{first['created_at']:%Y-%m-%d %H:%M}",
        rows=[{**row, "labels": json.loads(row["labels"])} for row in rows],
        trials=known_trials(store, [row["trial_id"] for row in rows]),
    )
