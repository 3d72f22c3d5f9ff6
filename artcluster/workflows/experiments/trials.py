"""One trial: a method is fitted and measured; what came out is kept by the name of its facts."""

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from safetensors.numpy import load, save

from artcluster.clustering.kmeans.kmeans import sample_indices
from artcluster.config import from_settings
from artcluster.metrics.agreement import NOISE, non_empty_clusters
from artcluster.metrics.measures import MEASURES, ClusteredPoints, measure_points
from artcluster.projection import make_layout
from artcluster.projection.layout import Components, LayoutSettings
from artcluster.runtime.progress import Silent, Timings
from artcluster.schema import COMPARISONS, SWEEPS, TRIAL_MEASURES, TRIALS
from artcluster.store import Lease, Store
from artcluster.store.layout import TRIALS as TRIAL_FILES
from artcluster.store.members import rows_among
from artcluster.workflows.clustering.fingerprints import deciding_settings, model_params
from artcluster.workflows.clustering.methods import fit
from artcluster.workflows.clustering.methods.base import Fitted, TrainingSet
from artcluster.workflows.job import Job, fingerprint
from artcluster.workflows.legacy_ids import legacy_model_id

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def reset_peak() -> bool:
    """Let the kernel forget the peak so far; False where it cannot (not Linux)."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True


def peak_bytes() -> int | None:
    """Return the peak of this process's resident memory since then; None where not told."""
    try:
        match = _PEAK.search(_STATUS.read_text())
    except OSError:
        return None
    return None if match is None else int(match.group(1)) * 1024


MISSING = -2
"""Stands for the cluster of a content that a method left out."""


_SHARED_STAGES = ("pretrain",)


@dataclass(frozen=True)
class Trial:
    """A trial to make.

    Attributes:
        job: What to work with; its config is that of the fit.
        shared: All contents, in the common space.
        data: What the method is given: those of them that have a vector of its embedder.
        resample: Number of the part of the contents that it is fitted on; None for all.
    """

    job: Job
    shared: TrainingSet
    data: TrainingSet
    resample: int | None = None

    @property
    def trial_id(self) -> str:
        """Names all that decides the fit and its measures."""
        settings = self.job.config.cluster
        chosen = {"settings": model_params(settings, "max_silhouette_vectors")}
        return f"{settings.method}-{fingerprint(self._facts | chosen)}"

    @property
    def legacy_id(self) -> str:
        """The name that an earlier version gave."""
        return legacy_model_id(self._facts, self.job.config.cluster)

    @property
    def _facts(self) -> dict[str, Any]:
        return {
            "contents": self.data.digest,
            "shared": self.shared.digest,
            "embedder_id": self.data.embedder_id,
            "common": self.shared.embedder_id,
            "resample": self._resampling,
        }

    @property
    def _resampling(self) -> list[float] | None:
        if self.resample is None:
            return None
        settings = self.job.config.trials
        return [self.resample, settings.resample_share, settings.sample_seed]

    def fitted_on(self) -> TrainingSet:
        """Return the contents that it is fitted on: the same for every method and k."""
        if self.resample is None:
            return self.data
        settings = self.job.config.trials
        count = max(2, round(settings.resample_share * len(self.data.x_ND)))
        seed = settings.sample_seed + 1 + self.resample
        rows = sample_indices(len(self.data.x_ND), count, seed)
        chosen = self.data.content_ids.take(pa.array(rows))
        return replace(self.data, content_ids=chosen, x_ND=self.data.x_ND[rows])


def known_trials(store: Store, trial_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the rows of trials that were made already, by trial_id."""
    rows = store.table(TRIALS).read(None, pc.field("trial_id").isin(list(trial_ids)))
    return {row["trial_id"]: row for row in rows.to_pylist()}


def measures_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what sweeps and comparisons repeat of a trial's row."""
    return {column.name: row[column.name] for column in TRIAL_MEASURES}


def run_trial(trial: Trial, lease: Lease) -> dict[str, Any]:
    """Fit, measure and keep a trial; return its row.

    Raises:
        UsageError: There are fewer contents than clusters, or the method takes no such vectors.
        FencedError: Another job holds the lease now.
    """
    timings = Timings(Silent())
    job = replace(trial.job, progress=Silent(), timings=timings)
    given = trial.fitted_on()
    measurable = reset_peak()
    began = time.perf_counter()
    fitted = fit(job, given)
    seconds = time.perf_counter() - began
    peak = peak_bytes() if measurable else None
    shared_s = {name: spent for name, spent in timings.seconds.items() if name in _SHARED_STAGES}
    taken = _taken(fitted, given)
    assigned_N = fitted.model.predict(taken.x_ND, threads=torch.get_num_threads()).cluster
    row = {
        "trial_id": trial.trial_id,
        "archive_id": trial.shared.archive_id,
        "contents": trial.shared.digest,
        "points": len(taken.x_ND),
        "method": job.config.cluster.method,
        "k": job.config.cluster.k,
        "seed": job.config.cluster.seed,
        "resample": trial.resample,
        "embedder_id": trial.data.embedder_id,
        "common_embedder_id": trial.shared.embedder_id,
        **_measures(trial, fitted, taken, assigned_N),
        "verdict": fitted.verdict,
        "seconds": seconds - sum(shared_s.values()),
        "peak_bytes": peak,
        "shared_seconds": json.dumps(shared_s),
        "settings": json.dumps(deciding_settings(job.config.cluster)),
        "path": TRIAL_FILES.path(f"{trial.trial_id}.safetensors"),
        "created_at": datetime.now(UTC),
    }
    clusters_N = np.full(len(trial.shared.x_ND), MISSING, np.int32)
    clusters_N[rows_among(taken.content_ids, trial.shared.content_ids)] = assigned_N
    files = {"clusters": clusters_N}
    if trial.resample is None:
        files |= _map(trial, fitted, taken)
    job.store.write_bytes(str(row["path"]), save(files))
    lease.check()
    job.store.append(TRIALS, pa.Table.from_pylist([row], TRIALS.schema), lease.fence)
    return row


def clusters_of(store: Store, row: Mapping[str, Any]) -> np.ndarray:
    """Return the cluster of each shared content in a trial, int32; −2 where it left one out."""
    return np.asarray(load(store.read_bytes(row["path"]))["clusters"])


def map_of(store: Store, row: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return positions in the plane, float32 (M, 2), and the clusters of what is shown there."""
    arrays = load(store.read_bytes(row["path"]))
    return arrays["map"], arrays["clusters"][arrays["map_rows"]]


def _taken(fitted: Fitted, given: TrainingSet) -> TrainingSet:
    """Return the vectors that the model takes: those given, or those that the method made."""
    refined = fitted.refined
    if refined is None:
        return given
    return replace(
        given,
        embedder_id=refined.embedder.embedder_id,
        content_ids=refined.content_ids,
        x_ND=refined.x_ND,
    )


def _measures(
    trial: Trial, fitted: Fitted, taken: TrainingSet, assigned_N: np.ndarray
) -> dict[str, Any]:
    model, settings = fitted.model, trial.job.config.cluster
    rows_N = model.centroid_rows(assigned_N)
    common_ND = trial.shared.x_ND[rows_among(taken.content_ids, trial.shared.content_ids)]

    def in_space(x_ND: np.ndarray, centroids_KD: np.ndarray | None = None) -> ClusteredPoints:
        limit = settings.max_silhouette_vectors
        return ClusteredPoints(x_ND, rows_N, centroids_KD, limit, settings.seed)

    own_ND = model.transform(taken.x_ND, threads=torch.get_num_threads())
    spaces = {"": in_space(own_ND, model.centroids_KD), "_common": in_space(common_ND)}
    return {
        "non_empty": non_empty_clusters(assigned_N),
        "noise_share": float(np.mean(assigned_N == NOISE)),
        **_iterations(fitted.training),
        **measure_points(spaces),
    }


def _iterations(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the iterations of a refinement, or else of k-means, as far as a method tells them."""
    refined = training.get("dec")
    last = refined if isinstance(refined, Mapping) else training.get("kmeans")
    known = last if isinstance(last, Mapping) else {}
    return {"iterations": known.get("iterations"), "converged": known.get("converged")}


def _map(trial: Trial, fitted: Fitted, taken: TrainingSet) -> dict[str, np.ndarray]:
    """Lay a sample of the contents, the same for all trials, out in the method's own space."""
    job = trial.job
    settings, how = job.config.trials, job.config.map
    count = len(trial.shared.x_ND)
    chosen = sample_indices(count, settings.map_points, settings.sample_seed)
    rows = rows_among(taken.content_ids, trial.shared.content_ids)
    on_map = np.flatnonzero(np.isin(rows, chosen))
    z_MD = fitted.model.transform(taken.x_ND[on_map], threads=torch.get_num_threads())
    z_MD = Components.fit(z_MD, how.pca_dim, how.seed)(z_MD)
    # Methods that do not refine have one space for every k, and its map is drawn once.
    name = fingerprint([how.model_dump(mode="json"), _hash(z_MD)])
    path = TRIAL_FILES.path("maps", f"{name}.safetensors")
    if job.store.exists(path):
        y_M2 = load(job.store.read_bytes(path))["map"]
    else:
        y_M2 = (
            make_layout(
                how.method, from_settings(LayoutSettings, how, threads=torch.get_num_threads())
            )
            .fit(z_MD)
            .astype(np.float32)
        )
        job.store.write_bytes(path, save({"map": y_M2}))
    return {"map": np.ascontiguousarray(y_M2), "map_rows": rows[on_map].astype(np.int64)}


def _hash(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def trials_lease(job: Job, archive_id: str) -> Lease:
    """Return the lease on an archive's trials, sweeps and comparisons."""
    return job.lease(f"trials={archive_id}", TRIALS, SWEEPS, COMPARISONS)


def run_trials(job: Job, trials: Sequence[Trial], lease: Lease) -> list[dict[str, Any]]:
    """Return the rows of trials, in their order; each is committed as it is finished.

    Raises:
        UsageError: There are fewer contents than clusters.
    """
    known = known_trials(job.store, [name for t in trials for name in (t.trial_id, t.legacy_id)])
    names = [t.legacy_id if t.legacy_id in known else t.trial_id for t in trials]
    rows = []
    new = sum(name not in known for name in dict.fromkeys(names))
    if known:
        job.progress.say(f"{len(names) - new:,} of {len(names):,} trials were made already.")
    with job.timings.stage("trials", len(trials), "trials"):
        for trial, name in zip(trials, names, strict=True):
            if name not in known:
                known[name] = run_trial(trial, lease)
                job.progress.say(_summary(known[name]))
            rows.append(known[name])
            job.progress.advance("trials", 1)
    return rows


def _summary(row: Mapping[str, Any]) -> str:
    resample = "" if row["resample"] is None else f", resample {row['resample'] + 1}"
    return (
        f"{row['method']}, k = {row['k']}, seed {row['seed']}{resample}: silhouette "
        f"{MEASURES['silhouette_common'].text(row['silhouette_common'])}, {row['non_empty']} "
        f"clusters, {row['seconds']:.1f} s" + (f"; {row['verdict']}" if row["verdict"] else "")
    )
