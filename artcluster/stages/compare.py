"""Comparing methods: each fitted at every k and seed on the same images, measured alike."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from artcluster.embedders.catalogue import PCA, RANDOM
from artcluster.errors import UsageError
from artcluster.metrics.agreement import label_agreement
from artcluster.schema import COMPARISONS
from artcluster.stages.comparison.record import Comparison, read_comparison
from artcluster.stages.digest import digest
from artcluster.stages.embedder import read_embedder
from artcluster.stages.job import Job
from artcluster.stages.known import choose_archive, choose_embedder
from artcluster.stages.label_groups import LabelChoice, Labels
from artcluster.stages.measure import agreement_facts
from artcluster.stages.methods import METHODS
from artcluster.stages.methods.training_set import TrainingSet
from artcluster.stages.trials.contents import shared_contents, with_hints
from artcluster.stages.trials.entry import Entry, Preset, parse_entry
from artcluster.stages.trials.making import make_trials, trials_lease
from artcluster.stages.trials.trial import MEASURES, MISSING, Trial, clusters_of
from artcluster.stages.trials.vectors import check_entry, embedder_of, vectors_of
from artcluster.store import Store
from artcluster.store.metadata import metadata_version

_BASELINE = "kmeans@color-histogram"
_CONTROL = "mobilenet_v2"
"""The network whose random form is the control, where the common space's own has none."""


@dataclass(frozen=True)
class Asked:
    """What is to be compared.

    Attributes:
        entries: The methods.
        ks: Numbers of clusters.
        seeds: Seeds.
        labels: What clusters are compared with; never trained on.
        where: A condition in SQL on the metadata; None for all images.
        preset: A file of settings a method.
        baselines: Whether k-means on colour histograms and on a random network go along.
    """

    entries: Sequence[Entry]
    ks: Sequence[int]
    seeds: Sequence[int] = (0,)
    labels: LabelChoice = field(default_factory=LabelChoice)
    where: str | None = None
    preset: Preset = field(default_factory=Preset)
    baselines: bool = True


def make_comparison(
    job: Job, asked: Asked, *, archive_id: str | None = None, embedder: str | None = None
) -> Comparison:
    """Fit every method at every k and seed, measure them alike, and keep what came out.

    Each fit is committed as it is finished: a comparison that was killed goes on where it stopped,
    and the same again is done already.

    Args:
        job: What to work with.
        asked: What to compare.
        archive_id: Which archive; None for the only one.
        embedder: Whose vectors are the common space, and what methods are given that name no
            others; None for the only one.

    Raises:
        UsageError: The choice is not clear, a label is no column, there are too few images, or a
            method takes faces.
        LeaseHeldError: Another job makes trials of the archive.
    """
    archive_id = choose_archive(job.store, archive_id)
    asked.labels.check(job)
    if not asked.entries or min(asked.ks) < 2:
        raise UsageError("expected at least one method, and numbers of clusters from 2 up")
    for entry in asked.entries:
        first = entry.config(job.config, asked.preset, asked.ks[0], asked.seeds[0])
        check_entry(entry, first, faces=False)
    guided = any(entry.method == "guided" for entry in asked.entries)
    job = with_hints(job, archive_id, "guided" if guided else asked.entries[0].method)
    common = choose_embedder(job.store, embedder, whole=True)
    asked = replace(asked, entries=_with_baselines(job, asked, common))
    with job.timings.stage("gather"):
        shared = shared_contents(job, archive_id, common, asked.where)
    if len(shared.data.x_ND) < max(asked.ks):
        raise UsageError(
            f"--k: there are only {len(shared.data.x_ND)} distinct images to cluster into "
            f"{max(asked.ks)}"
        )
    facts = {
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
        named: list[tuple[Entry, Mapping[str, Any]]] = []
        for entry in asked.entries:
            # One method's vectors in memory at a time, beside those of the common space.
            made = make_trials(job, _trials(job, asked, entry, shared.data, archive_id), lease)
            named += [(entry, row) for row in made]
        ids = [[entry.name, row["trial_id"]] for entry, row in named]
        comparison_id = digest([facts, ids])
        known = read_comparison(job.store, comparison_id)
        if known is not None:
            return replace(known, already=True, seconds=dict(job.timings.seconds))
        labels = asked.labels.of(job, archive_id, shared.data.content_ids)
        now = datetime.now(UTC)
        table = [
            {
                "comparison_id": comparison_id,
                "archive_id": archive_id,
                "name": entry.name,
                "method": entry.method,
                "k": row["k"],
                "seed": row["seed"],
                "trial_id": row["trial_id"],
                **{name: row[name] for name in MEASURES},
                "labels": json.dumps(_agreements(job.store, row, labels)),
                "asked": json.dumps(facts),
                "created_at": now,
            }
            for entry, row in named
        ]
        lease.check()
        job.store.append(COMPARISONS, pa.Table.from_pylist(table, COMPARISONS.schema), lease.fence)
    done = read_comparison(job.store, comparison_id)
    assert done is not None
    return replace(done, seconds=dict(job.timings.seconds))


def _with_baselines(job: Job, asked: Asked, common: str) -> list[Entry]:
    """Return the entries, and after them the baselines that are not among them."""
    entries = list(asked.entries)
    if asked.baselines:
        network = read_embedder(job.store, common).contract.network
        drawn = network != "color-histogram" and not network.startswith(PCA)
        for name in (_BASELINE, f"kmeans@{RANDOM}{network if drawn else _CONTROL}"):
            if name not in [entry.name for entry in entries]:
                entries.append(parse_entry(name, list(METHODS)))
    return entries


def _trials(
    job: Job, asked: Asked, entry: Entry, shared: TrainingSet, archive_id: str
) -> list[Trial]:
    trials = []
    given: dict[str, TrainingSet] = {}
    for seed in asked.seeds:
        # A method that trains a network of its own trains one a seed.
        first = entry.config(job.config, asked.preset, asked.ks[0], seed)
        embedder_id = embedder_of(job, archive_id, entry, first, shared.embedder_id)
        if embedder_id not in given:
            given[embedder_id] = vectors_of(job, shared, embedder_id)
        for k in asked.ks:
            config = entry.config(job.config, asked.preset, k, seed)
            trials.append(Trial(replace(job, config=config), shared, given[embedder_id]))
    return trials


def _agreements(store: Store, row: Mapping[str, Any], labels: Labels) -> dict[str, Any]:
    """Compare a trial's clusters with each label, over the images that have both."""
    clusters_N = clusters_of(store, row)
    there = clusters_N != MISSING
    found = {}
    for name, truth in labels.items():
        known = [label for label, mine in zip(truth, there, strict=True) if mine]
        agreement = label_agreement(clusters_N[there], known)
        found[name] = agreement_facts(agreement)
    return found
