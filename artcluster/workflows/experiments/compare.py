"""Comparing methods: each fitted at every k and seed on the same images, measured alike."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from artcluster.embedders.catalogue import PCA, RANDOM
from artcluster.errors import UsageError
from artcluster.metrics.agreement import label_agreement
from artcluster.metrics.measures import measure_agreement
from artcluster.schema import COMPARISONS
from artcluster.store import Store
from artcluster.store.clock import next_time
from artcluster.store.metadata import metadata_version
from artcluster.workflows.archives import choose_archive, choose_embedder
from artcluster.workflows.clustering.methods.base import TrainingSet
from artcluster.workflows.clustering.supervision import takes_hints
from artcluster.workflows.embedding.embedder import read_embedder
from artcluster.workflows.experiments.labels import LabelChoice, Labels
from artcluster.workflows.experiments.method_spec import MethodSpec, Preset, parse_method
from artcluster.workflows.experiments.trial_data import (
    check_method,
    embedder_of,
    shared_items,
    vectors_of,
    with_hints,
)
from artcluster.workflows.experiments.trials import (
    MISSING,
    Trial,
    clusters_of,
    known_trials,
    measures_of,
    run_trials,
    trials_lease,
)
from artcluster.workflows.job import Job, fingerprint


@dataclass(frozen=True)
class MethodComparison:
    """A finished comparison.

    Attributes:
        common: The embedder of the common space.
        sampled_from: Contents that there were to choose from.
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


def read_comparison(store: Store, comparison_id: str) -> MethodComparison | None:
    """Return a comparison as the store has it."""
    rows = store.table(COMPARISONS).read(None, pc.field("comparison_id") == comparison_id)
    return _comparison(store, rows.to_pylist()) if rows.num_rows else None


def read_comparisons(store: Store, archive_id: str, most: int) -> list[MethodComparison]:
    """Return an archive's last comparisons, the newest first."""
    table = store.table(COMPARISONS)
    of_archive = pc.field("archive_id") == archive_id
    known = table.read(["comparison_id", "created_at"], of_archive)
    newest = known.group_by("comparison_id").aggregate([("created_at", "max")])
    ids = newest.sort_by([("created_at_max", "descending")])["comparison_id"].to_pylist()[:most]
    comparisons = (read_comparison(store, comparison_id) for comparison_id in ids)
    return [each for each in comparisons if each is not None]


def _comparison(store: Store, rows: Sequence[dict[str, Any]]) -> MethodComparison:
    first = rows[0]
    asked = json.loads(first["asked"])
    chosen = asked["labels"]
    return MethodComparison(
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


_BASELINE = "kmeans@color-histogram"
_CONTROL = "mobilenet_v2"
"""The network whose random form is the control, where the common space's own has none."""


@dataclass(frozen=True)
class ComparisonSpec:
    """What is to be compared.

    Attributes:
        labels: What clusters are compared with; never trained on.
        where: A condition in SQL on the metadata; None for all images.
        preset: A file of settings a method.
        baselines: Whether k-means on colour histograms and on a random network go along.
    """

    methods: Sequence[MethodSpec]
    ks: Sequence[int]
    seeds: Sequence[int] = (0,)
    labels: LabelChoice = field(default_factory=LabelChoice)
    where: str | None = None
    preset: Preset = field(default_factory=Preset)
    baselines: bool = True


def make_comparison(
    job: Job, asked: ComparisonSpec, *, archive_id: str | None = None, embedder: str | None = None
) -> MethodComparison:
    """Fit every method at every k and seed, measure them alike, and keep what came out.

    Each fit is committed as it is finished: a comparison that was killed goes on where it stopped,
    and the same again is done already.

    Args:
        embedder: Whose vectors are the common space, and what methods are given that name no
            others; None for the only one.

    Raises:
        UsageError: The choice is not clear, a label is no column, there are too few images, or a
            method takes faces.
        LeaseHeldError: Another job makes trials of the archive.
    """
    archive_id = choose_archive(job.store, archive_id)
    asked.labels.check(job)
    if not asked.methods or min(asked.ks) < 2:
        raise UsageError("expected at least one method, and numbers of clusters from 2 up")
    for spec in asked.methods:
        first = spec.config(job.config, asked.preset, asked.ks[0], asked.seeds[0])
        check_method(spec, first, faces=False)
    names = [spec.method for spec in asked.methods]
    job = with_hints(job, archive_id, next(filter(takes_hints, names), names[0]))
    common = choose_embedder(job.store, embedder, whole=True)
    asked = replace(asked, methods=_with_baselines(job, asked, common))
    with job.timings.stage("gather"):
        shared = shared_items(job, archive_id, common, asked.where)
    if len(shared.data.x_ND) < max(asked.ks):
        raise UsageError(
            f"--k: there are only {len(shared.data.x_ND)} distinct images to cluster into "
            f"{max(asked.ks)}"
        )
    params = {
        "common": common,
        "points": len(shared.data.x_ND),
        "sampled_from": shared.of,
        "labels": asked.labels.facts(),
        "where": asked.where,
        "preset": asked.preset.facts(),
        "hints": job.config.cluster.hints,
        "metadata": metadata_version(job.store, archive_id),
        "trials": job.config.trials.model_dump(mode="json"),
    }
    with trials_lease(job, archive_id) as lease:
        named: list[tuple[MethodSpec, Mapping[str, Any]]] = []
        for spec in asked.methods:
            # One method's vectors in memory at a time, beside those of the common space.
            made = run_trials(job, _trials(job, asked, spec, shared.data, archive_id), lease)
            named += [(spec, row) for row in made]
        ids = [[spec.name, row["trial_id"]] for spec, row in named]
        comparison_id = fingerprint([params, ids])
        known = read_comparison(job.store, comparison_id)
        if known is not None:
            return replace(known, already=True, seconds=dict(job.timings.seconds))
        labels = asked.labels.of(job, archive_id, shared.data.content_ids)
        now = next_time(job.store, COMPARISONS)
        table = [
            {
                "comparison_id": comparison_id,
                "archive_id": archive_id,
                "name": spec.name,
                "method": spec.method,
                "k": row["k"],
                "seed": row["seed"],
                "trial_id": row["trial_id"],
                **measures_of(row),
                "labels": json.dumps(_agreements(job.store, row, labels)),
                "asked": json.dumps(params),
                "created_at": now,
            }
            for spec, row in named
        ]
        lease.check()
        job.store.append(COMPARISONS, pa.Table.from_pylist(table, COMPARISONS.schema), lease.fence)
    done = read_comparison(job.store, comparison_id)
    assert done is not None
    return replace(done, seconds=dict(job.timings.seconds))


def _with_baselines(job: Job, asked: ComparisonSpec, common: str) -> list[MethodSpec]:
    """Return the methods, and after them the baselines that are not among them."""
    methods = list(asked.methods)
    if asked.baselines:
        network = read_embedder(job.store, common).contract.network
        drawn = network != "color-histogram" and not network.startswith(PCA)
        for name in (_BASELINE, f"kmeans@{RANDOM}{network if drawn else _CONTROL}"):
            if name not in [spec.name for spec in methods]:
                methods.append(parse_method(name))
    return methods


def _trials(
    job: Job, asked: ComparisonSpec, spec: MethodSpec, shared: TrainingSet, archive_id: str
) -> list[Trial]:
    trials = []
    given: dict[str, TrainingSet] = {}
    for seed in asked.seeds:
        # A method that trains a network of its own trains one a seed.
        first = spec.config(job.config, asked.preset, asked.ks[0], seed)
        embedder_id = embedder_of(job, archive_id, spec, first, shared.embedder_id)
        if embedder_id not in given:
            given[embedder_id] = vectors_of(job, shared, embedder_id)
        for k in asked.ks:
            config = spec.config(job.config, asked.preset, k, seed)
            trials.append(Trial(replace(job, config=config), shared, given[embedder_id]))
    return trials


def _agreements(store: Store, row: Mapping[str, Any], labels: Labels) -> dict[str, Any]:
    """Compare a trial's clusters with each label, over the images that have both."""
    clusters_N = clusters_of(store, row)
    there = clusters_N != MISSING
    return {
        name: measure_agreement(
            label_agreement(
                clusters_N[there], [each for each, has in zip(truth, there, strict=True) if has]
            )
        )
        for name, truth in labels.items()
    }
