"""What `update` tells its caller."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from artcluster.lineage.drift import Drift
from artcluster.stages.compare_runs import RunComparison
from artcluster.stages.summary import ClusterSummary, EmbedSummary

Outcome = Literal["first run", "nothing new", "model kept", "refitted"]


@dataclass(frozen=True)
class UpdateSummary:
    """What an update found, decided and made.

    Attributes:
        outcome: What was done; with `nothing new` no run was made.
        reasons: Why, in words.
        embedding: What the embedding job did.
        run: The run made, or the one that is still up to date.
        parent: The run that it follows; None for a first run.
        changes: What became of the parent's images and clusters.
        drift: Against the parent, by the parent's model.
        drift_since_fit: Against the run that the model was fitted for.
        fitted_in: That run.
        seconds: By stage.
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    embedding: EmbedSummary
    run: ClusterSummary
    parent: str | None = None
    changes: RunComparison | None = None
    drift: Drift | None = None
    drift_since_fit: Drift | None = None
    fitted_in: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
