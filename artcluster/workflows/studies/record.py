"""What a study is and what it found, in the store: files below `studies/`, then the row."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.metadata import version
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from artcluster.config.base import Settings
from artcluster.errors import UsageError
from artcluster.pages.atlas import Gallery, gallery_webp
from artcluster.pages.findings import Findings
from artcluster.schema import STUDIES
from artcluster.store import Lease, Store
from artcluster.store.clock import next_time
from artcluster.store.layout import STUDIES as STUDY_FILES
from artcluster.store.metadata import metadata_version
from artcluster.workflows.archives import known_archive
from artcluster.workflows.clustering.labels import check_labels
from artcluster.workflows.embedding.embedder import pixel_policy
from artcluster.workflows.experiments.findings_files import FindingsFiles, write_findings
from artcluster.workflows.job import Job, fingerprint

_VERSIONS = ("artcluster", "torch", "torchvision", "numpy", "pillow")


@dataclass(frozen=True)
class Study:
    """A study to be made, or made.

    Attributes:
        study_id: Its name, made of `facts`.
        kind: `genres` or `backbones`.
        facts: What decides it: archive, scan, metadata, label, pixels, settings.
    """

    study_id: str
    kind: str
    facts: Mapping[str, Any]

    @property
    def folder(self) -> str:
        """Where its files lie in the store."""
        return STUDY_FILES.path(self.study_id)

    def part(self, name: str) -> str:
        """Return the path, without its ending, of what one of its trainings gave."""
        return f"{self.folder}/parts/{self.training(name)}"

    def training(self, name: str) -> str:
        """Return the name under which one of its trainings keeps checkpoints."""
        return f"study-{self.study_id}-{name.replace(':', '-')}"

    @property
    def label(self) -> str:
        """The metadata column that it is about."""
        return str(self.facts["label"])


@dataclass(frozen=True)
class StudySummary:
    """A study that is in the store."""

    study: Study
    files: FindingsFiles
    results: Mapping[str, Any]
    """All that it found."""
    created_at: datetime
    already: bool
    """Whether it was there before, and nothing was computed."""
    seconds: Mapping[str, float] = field(default_factory=dict)


def plan_study(
    job: Job,
    kind: str,
    archive_id: str,
    settings: Settings,
    *,
    without: dict[str, Any],
    groups: Mapping[str, str] | None = None,
) -> Study:
    """Name a study by all that decides it.

    Args:
        kind: `genres` or `backbones`.
        without: Settings that change no result, as Pydantic leaves them out.
        groups: Group of each value of the label; None or empty to take the values themselves.

    Raises:
        UsageError: No label is chosen, or it is no column of the metadata.
    """
    label = job.config.study.label
    if label is None:
        raise UsageError("a study needs --label, a column of the metadata, such as --label genre")
    check_labels(job.store, [label])
    facts = {
        "kind": kind,
        "archive_id": archive_id,
        "scan_id": known_archive(job.store, archive_id, job.config).scan_id,
        "metadata_version": metadata_version(job.store, archive_id),
        "label": label,
        "groups": dict(groups or {}),
        "pixels": pixel_policy(job.config).policy_id,
        "settings": settings.model_dump(mode="json", exclude=without),
    }
    return Study(f"{kind}-{fingerprint(facts)}", kind, facts)


def run_once(job: Job, study: Study, make: Callable[[], Mapping[str, Any]]) -> StudySummary:
    """Return a study that exists, or make it: what `make` finds, and with its row last.

    Raises:
        LeaseHeldError: Another job makes the same study.
    """
    if (done := finished_study(job.store, study.study_id)) is not None:
        return done
    with job.lease(f"study={study.study_id}", STUDIES) as lease:
        # Another job may have made it while this one waited.
        if (done := finished_study(job.store, study.study_id)) is not None:
            return done
        _commit(job, study, make(), lease)
    made = finished_study(job.store, study.study_id)
    assert made is not None
    return replace(made, already=False, seconds=dict(job.timings.seconds))


def finished_study(store: Store, study_id: str) -> StudySummary | None:
    """Return a study that exists, as the store has it."""
    rows = store.table(STUDIES).read(None, pc.field("study_id") == study_id).to_pylist()
    return _summary(store, rows[0]) if rows else None


def studies_of(store: Store, archive_id: str) -> list[StudySummary]:
    """Return an archive's studies, the newest first."""
    rows = store.table(STUDIES).read(None, pc.field("archive_id") == archive_id)
    newest = rows.sort_by([("created_at", "descending")]).to_pylist()
    return [_summary(store, row) for row in newest]


def _commit(job: Job, study: Study, results: Mapping[str, Any], lease: Lease) -> None:
    """Write the row with which the study exists."""
    row = {
        "study_id": study.study_id,
        "kind": study.kind,
        "archive_id": study.facts["archive_id"],
        "scan_id": study.facts["scan_id"],
        "metadata_version": study.facts["metadata_version"],
        "label": study.label,
        "config": json.dumps(study.facts["settings"]),
        "results": json.dumps(results),
        "path": study.folder,
        "versions": json.dumps({name: version(name) for name in _VERSIONS}),
        "timings": json.dumps(job.timings.seconds),
        "created_at": next_time(job.store, STUDIES),
    }
    lease.check()
    job.store.append(STUDIES, pa.Table.from_pylist([row], STUDIES.schema), lease.fence)


def _summary(store: Store, row: Mapping[str, Any]) -> StudySummary:
    known = ("kind", "archive_id", "scan_id", "metadata_version", "label")
    facts = {name: row[name] for name in known} | {"settings": json.loads(row["config"])}
    place, kind = store.location.child(row["path"]), row["kind"]
    return StudySummary(
        study=Study(row["study_id"], kind, facts),
        files=FindingsFiles(
            page=place.child("index.html").uri,
            markdown=place.child(f"{kind}.md").uri,
            data=place.child(f"{kind}.json").uri,
            table=place.child(f"{kind}.csv").uri,
        ),
        results=json.loads(row["results"]),
        created_at=row["created_at"],
        already=True,
    )


def write_files(
    job: Job,
    study: Study,
    findings: Findings,
    results: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    tables: Mapping[str, Iterable[Sequence[object]]],
) -> None:
    """Write a study's files, the page last; what an earlier attempt wrote is replaced.

    Args:
        results: What JSON holds.
        rows: What its main CSV holds.
        tables: Further tables by file name; the first row of each has the headings.
    """
    for name, table in tables.items():
        stream = io.StringIO(newline="")
        csv.writer(stream, lineterminator="\n").writerows(table)
        job.store.write_bytes(f"{study.folder}/{name}", stream.getvalue().encode())
    for block in (block for section in findings.sections for block in section.blocks):
        if isinstance(block, Gallery):
            path = f"{study.folder}/{study.kind}-figures/{block.file}"
            job.store.write_bytes(path, gallery_webp(block))
    write_findings(job.store.location.child(study.folder), study.kind, findings, results, rows)
