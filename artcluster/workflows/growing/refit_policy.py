"""Whether an update fits its model again: thresholds against what was measured, in words."""

from dataclasses import dataclass
from typing import Literal

from artcluster.config import UpdateSettings
from artcluster.lineage.drift import Drift


@dataclass(frozen=True)
class RefitInputs:
    """What an update knows when it decides.

    Attributes:
        drift: Since the model was fitted.
        days: Age of the model.
        runs: Runs that applied it since, this one among them.
        changed_settings: Settings of the model that are other than they were, in words.
        demanded: What the user asked for on the command line: True, False, or None for nothing.
    """

    drift: Drift
    days: float
    runs: int
    changed_settings: tuple[str, ...] = ()
    demanded: bool | None = None


@dataclass(frozen=True)
class Decision:
    """Whether to refit, from what, and why."""

    refit: bool
    warm: bool
    reasons: tuple[str, ...]

    @property
    def model(self) -> Literal["new", "warm", "kept"]:
        """What the run's model is to be."""
        return "kept" if not self.refit else "warm" if self.warm else "new"


def decide(now: RefitInputs, settings: UpdateSettings) -> Decision:
    """Decide about a refit.

    What the user demands comes first, then changed settings, then `update.refit`, the schedule,
    and the limits of drift. Changed settings need a fresh start: the old model is not theirs.

    >>> from artcluster.lineage.drift import Drift
    >>> calm = Drift(0.01, 0.0, 0.02, 0.001, 1.01, 0.1)
    >>> decide(RefitInputs(calm, days=3, runs=3), UpdateSettings()).reasons[0]
    'low confidence +1.0 points, within +10.0'
    >>> decide(RefitInputs(calm, days=8, runs=3), UpdateSettings(refit_every_days=7)).reasons
    ('the model is 8.0 days old: refitted every 7',)
    """
    warm = settings.start == "warm"
    if now.demanded is False:
        return Decision(False, warm, ("a refit was ruled out",))
    if now.changed_settings:
        return Decision(True, False, now.changed_settings)
    if now.demanded:
        return Decision(True, warm, ("a refit was asked for",))
    if settings.refit == "always":
        return Decision(True, warm, ("update.refit is always",))
    if settings.refit == "never":
        return Decision(False, warm, ("update.refit is never",))
    due = _due(now, settings)
    if due:
        return Decision(True, warm, due)
    measured = _measured(now.drift, settings)
    past = tuple(f"{words}, past {limit}" for words, limit, exceeded in measured if exceeded)
    within = tuple(f"{words}, within {limit}" for words, limit, _ in measured)
    return Decision(bool(past), warm, past or within)


def _due(now: RefitInputs, settings: UpdateSettings) -> tuple[str, ...]:
    days, runs = settings.refit_every_days, settings.refit_every_runs
    due = []
    if days is not None and now.days >= days:
        due.append(f"the model is {now.days:.1f} days old: refitted every {days:g}")
    if runs is not None and now.runs >= runs:
        due.append(f"{now.runs} runs applied the model: refitted every {runs}")
    return tuple(due)


def _measured(drift: Drift, settings: UpdateSettings) -> list[tuple[str, str, bool]]:
    """Return each measure that has a limit and the limit in words, and whether it is past it."""
    found: list[tuple[str, str, bool]] = []
    for name, rise, most in (
        ("low confidence", drift.low_confidence_rise, settings.max_low_confidence_rise),
        ("outliers", drift.outlier_rise, settings.max_outlier_rise),
    ):
        if most is not None:
            words = f"{name} {100 * rise:+.1f} points"
            found.append((words, f"{100 * most:+.1f}", rise > most))
    for name, share, most in (
        ("shift of cluster sizes", drift.size_shift, settings.max_size_shift),
        ("growth", drift.growth, settings.max_growth),
    ):
        if most is not None:
            found.append((f"{name} {share:.1%}", f"{most:.1%}", share > most))
    ratio, most = drift.distance_ratio, settings.max_distance_ratio
    if most is not None and ratio is not None:
        found.append((f"mean distance ×{ratio:.3f}", f"×{most:.3f}", ratio > most))
    return found
