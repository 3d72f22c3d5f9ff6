"""Updating an archive that grows: embed what is new, assign it, refit only where that pays."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Literal

import pyarrow.compute as pc

from artcluster.errors import StoreError, UsageError
from artcluster.images.policy import PixelPolicy
from artcluster.lineage.drift import Drift, Profile, drift
from artcluster.schema import ASSIGNMENTS, MODELS
from artcluster.store import Lease
from artcluster.store.metadata import metadata_version
from artcluster.workflows.archives import KnownArchive, known_archive, members_of, resolve_archive
from artcluster.workflows.clustering.assignments import assign_contents, load_model
from artcluster.workflows.clustering.cluster import (
    NewRun,
    cluster_archive,
    make_run,
)
from artcluster.workflows.clustering.fingerprints import changed_settings, run_params
from artcluster.workflows.clustering.labels import check_labels, measure_late_labels
from artcluster.workflows.clustering.methods import check_enough, find_method
from artcluster.workflows.clustering.methods.own_network import with_own_network
from artcluster.workflows.clustering.run_pair import RunView, read_profile
from artcluster.workflows.clustering.supervision import (
    check_hints_kept,
    check_supervision,
    with_stored_hints,
)
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.embedding.embedder import ReadyEmbedder, read_embedder
from artcluster.workflows.embedding.plan import plan_archive
from artcluster.workflows.embedding.shares import check_can_be_clustered, check_unread_share
from artcluster.workflows.growing.diff import RunComparison, compare_runs
from artcluster.workflows.growing.refit_policy import Decision, RefitInputs, decide
from artcluster.workflows.job import Job, fingerprint
from artcluster.workflows.results import ArchiveCounts, ClusterSummary, EmbedSummary
from artcluster.workflows.runs import (
    RUN_TABLES,
    Run,
    find_run,
    finished_run,
    fitted_in,
    read_runs,
    what_is_missing,
)

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


def update_archive(
    job: Job, images: str, *, run_id: str | None = None, refit: bool | None = None
) -> UpdateSummary:
    """Bring an archive's embeddings, clusters and runs up to what its images are now.

    What is new is embedded by the embedder of the last run and assigned by its model as it is.
    Only where the archive has drifted past a limit, or on schedule, the model is fitted again,
    and its clusters keep their numbers. A job that was killed goes on from its last commit.

    Args:
        images: Where the archive lies.
        run_id: Which run to follow; None for the archive's last.
        refit: True to refit in any case, False for no refit; None to decide.

    Raises:
        ArchiveError: The archive cannot be listed, or more images are gone than is allowed.
        UnreadShareError: More files than allowed could not be read.
        UsageError: The run to follow is not there, or no usable image is left.
        LeaseHeldError: Another job updates the same archive.
    """
    archive_id = resolve_archive(images, job.config).archive_id
    config = with_own_network(job.config)
    before = read_runs(job.store, archive_id)
    if not before and run_id is None:
        check_supervision(config.cluster, config.embed.backbone)
        return _first_run(replace(job, config=config), images)
    parent = find_run(before, run_id)
    check_supervision(config.cluster, parent.embedder_id)
    while True:
        embedded = embed_archive(job, images, _embedder(job, parent))
        check_unread_share(embedded, job.config.archive.max_unread_share)
        job = with_stored_hints(job, archive_id)
        check_hints_kept(job, parent)
        with job.lease(f"runs={archive_id}", *RUN_TABLES) as lease:
            # Another update may have made a run while this one waited.
            runs = read_runs(job.store, archive_id)
            parent = find_run(runs, run_id)
            if parent.embedder_id == embedded.embedder_id:
                return _Update(job, embedded, parent, runs, lease).make(refit)
        job.progress.say(
            f"Run {parent.run_id}, made meanwhile, is of the embedder {parent.embedder_id}: "
            "embedding what it lacks."
        )


def plan_update(job: Job, images: str, *, run_id: str | None = None) -> ArchiveCounts:
    """List an archive and say what an update would embed; nothing is written.

    Raises:
        ArchiveError: The archive cannot be listed.
        UsageError: The run to follow is not there.
    """
    before = read_runs(job.store, resolve_archive(images, job.config).archive_id)
    if not before and run_id is None:
        return plan_archive(job, images)
    return plan_archive(job, images, _embedder(job, find_run(before, run_id)))


def _first_run(job: Job, images: str) -> UpdateSummary:
    embedded = embed_archive(job, images, check=partial(check_enough, job.config.cluster))
    check_can_be_clustered(embedded, job.config)
    clustered = cluster_archive(job, embedded.archive_id, embedded.embedder_id)
    reasons = ("the archive had no run to follow",)
    return UpdateSummary("first run", reasons, embedded, clustered, seconds=job.timings.seconds)


def _embedder(job: Job, parent: Run) -> ReadyEmbedder:
    """Return the embedder of a run, under the configured limits."""
    embedder = read_embedder(job.store, parent.embedder_id)
    images = job.config.images
    policy: PixelPolicy = replace(
        embedder.policy,
        max_pixels=images.max_pixels,
        max_missing_share=images.max_missing_share,
    )
    return replace(embedder, policy=policy)


@dataclass(frozen=True)
class _Drifts:
    """Drift against the parent, and since the model was fitted."""

    parent: Drift
    since_fit: Drift
    fitted_in: Run
    runs: int


@dataclass(frozen=True)
class _Update:
    """One update of an archive whose images are embedded, holding the lease on its runs."""

    job: Job
    embedded: EmbedSummary
    parent: Run
    runs: list[Run]
    lease: Lease

    def make(self, refit: bool | None) -> UpdateSummary:
        """Decide, and make a run unless nothing calls for one."""
        job, parent = self.job, self.parent
        known = known_archive(job.store, parent.archive_id, job.config)
        if not known.images:
            raise UsageError(
                f"no usable image is left of {parent.archive_id}, so that nothing can be assigned; "
                f"run {parent.run_id} stays the last one. `artcluster rejects STORE` lists the "
                "files that cannot be used"
            )
        self._complete(known)
        check_labels(job.store, job.config.cluster.labels)
        metadata = metadata_version(job.store, parent.archive_id)
        changed = self._changed_settings()
        same = (known.scan_id, metadata) == (parent.scan_id, parent.metadata_version)
        if same and not changed and not refit:
            return self._nothing_new()
        drifts = self._measured(known)
        age = datetime.now(UTC) - drifts.fitted_in.created_at
        situation = RefitInputs(
            drift=drifts.since_fit,
            days=age.total_seconds() / 86_400,
            runs=drifts.runs,
            changed_settings=changed,
            demanded=refit,
        )
        decision = decide(situation, job.config.update)
        verb = "Refitting" if decision.refit else "Keeping the model"
        job.progress.say(f"{verb}: {'; '.join(decision.reasons)}.")
        made = self._run(known, metadata, decision, drifts)
        return self._summary(made, decision, drifts)

    def _changed_settings(self) -> tuple[str, ...]:
        mine = pc.field("model_id") == self.parent.model_id
        rows = self.job.store.table(MODELS).read(["config"], mine)
        return changed_settings(json.loads(rows["config"][0].as_py()), self.job.config.cluster)

    def _complete(self, known: KnownArchive) -> None:
        """Assign again what a damaged file, taken out of the store, had of the parent's clusters.

        Raises:
            StoreError: The parent lacks something that only a fit can make.
        """
        job, parent = self.job, self.parent
        if what_is_missing(job.store, parent).endswith("assignments"):
            self._measured(known)
        if missing := what_is_missing(job.store, parent):
            raise StoreError(
                f"Run {parent.run_id} lacks {missing}, as a damaged file was taken out of the "
                f"store. `artcluster cluster {job.store.location} --parent last --force` makes "
                "another run that follows it."
            )

    def _nothing_new(self) -> UpdateSummary:
        run = finished_run(self.job.store, self.parent.run_id)
        assert run is not None
        run = measure_late_labels(self.job, run)
        reasons = ("no image, metadata or setting is other than in the last run",)
        seconds = dict(self.job.timings.seconds)
        return UpdateSummary("nothing new", reasons, self.embedded, run, seconds=seconds)

    def _measured(self, known: KnownArchive) -> _Drifts:
        """Assign what is new by the parent's model, and measure how far the archive has moved."""
        job, parent = self.job, self.parent
        model = load_model(job.store, parent.model_id)
        contents = members_of(job.store, parent.archive_id, parent.embedder_id, job.config)
        with (
            job.lease(f"model={parent.model_id}", ASSIGNMENTS) as lease,
            job.timings.stage("assign", len(contents)),
        ):
            assign_contents(job, parent.model_id, model, parent.embedder_id, contents, lease)

        def profile(scan_id: int) -> Profile:
            view = RunView(parent.archive_id, scan_id, parent.model_id)
            return read_profile(job.store, job.config, view, model.numbers_K)

        first, runs = fitted_in(self.runs, parent)
        with job.timings.stage("drift"):
            before, now = profile(parent.scan_id), profile(known.scan_id)
            at_fit = before if first is parent else profile(first.scan_id)
        if not (before.contents and now.contents and at_fit.contents):
            raise UsageError(
                f"no image is left in a cluster of run {parent.run_id}, so that nothing says how "
                "far the archive has moved: cluster what is there now (artcluster cluster)"
            )
        return _Drifts(drift(before, now), drift(at_fit, now), first, runs + 1)

    def _run(
        self, known: KnownArchive, metadata: str, decision: Decision, drifts: _Drifts
    ) -> ClusterSummary:
        parent, config = self.parent, self.job.config
        facts = {
            "archive_id": parent.archive_id,
            "scan_id": known.scan_id,
            "embedder_id": parent.embedder_id,
            "metadata_version": metadata,
            "parent": parent.run_id,
        }
        model = decision.model
        if model == "warm" and find_method(config.cluster.method).warm is None:
            model = "new"
        run = NewRun(
            run_id=fingerprint(facts | {"settings": run_params(config.cluster), "model": model}),
            facts=facts,
            images=known.images,
            parent=parent,
            model=model,
            decision={
                "model": model,
                "reasons": decision.reasons,
                "drift": asdict(drifts.parent),
                "drift_since_fit": asdict(drifts.since_fit),
                "fitted_in": drifts.fitted_in.run_id,
                "embedded": self.embedded.embedded,
            },
            holds=self.lease,
        )
        make_run(self.job, run)
        made = finished_run(self.job.store, run.run_id)
        assert made is not None
        return replace(made, already=False, seconds=dict(self.job.timings.seconds))

    def _summary(self, made: ClusterSummary, decision: Decision, drifts: _Drifts) -> UpdateSummary:
        job, parent = self.job, self.parent
        (run,) = [run for run in read_runs(job.store) if run.run_id == made.run_id]
        return UpdateSummary(
            outcome="refitted" if decision.refit else "model kept",
            reasons=decision.reasons,
            embedding=self.embedded,
            run=made,
            parent=parent.run_id,
            changes=compare_runs(job.store, job.config, parent, run),
            drift=drifts.parent,
            drift_since_fit=drifts.since_fit,
            fitted_in=drifts.fitted_in.run_id,
            seconds=dict(job.timings.seconds),
        )
