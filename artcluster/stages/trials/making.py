"""Making trials one after the other: those that were made already are read, the rest fitted."""

from collections.abc import Sequence
from typing import Any

from artcluster.schema import COMPARISONS, SWEEPS, TRIALS
from artcluster.stages.job import Job
from artcluster.stages.trials.trial import Trial, known_trials, make_trial
from artcluster.store import Lease


def trials_lease(job: Job, archive_id: str) -> Lease:
    """Return the lease on an archive's trials, sweeps and comparisons."""
    return job.lease(f"trials={archive_id}", TRIALS, SWEEPS, COMPARISONS)


def make_trials(job: Job, trials: Sequence[Trial], lease: Lease) -> list[dict[str, Any]]:
    """Return the rows of trials, in their order; each is committed as it is finished.

    Args:
        job: Watches.
        trials: What to make.
        lease: On the archive's trials.

    Raises:
        UsageError: There are fewer contents than clusters.
    """
    names = [trial.trial_id for trial in trials]
    known = known_trials(job.store, names)
    rows = []
    new = sum(name not in known for name in dict.fromkeys(names))
    if known:
        job.progress.say(f"{len(names) - new:,} of {len(names):,} trials were made already.")
    with job.timings.stage("trials", len(trials), "trials"):
        for trial, name in zip(trials, names, strict=True):
            if name not in known:
                known[name] = make_trial(trial, lease)
                job.progress.say(_told(known[name]))
            rows.append(known[name])
            job.progress.advance("trials", 1)
    return rows


def _told(row: dict[str, Any]) -> str:
    part = "" if row["resample"] is None else f", resample {row['resample'] + 1}"
    silhouette = row["silhouette_common"]
    shown = "–" if silhouette is None else f"{silhouette:.3f}"
    return (
        f"{row['method']}, k = {row['k']}, seed {row['seed']}{part}: silhouette {shown}, "
        f"{row['non_empty']} clusters, {row['seconds']:.1f} s"
        + (f"; {row['verdict']}" if row["verdict"] else "")
    )
