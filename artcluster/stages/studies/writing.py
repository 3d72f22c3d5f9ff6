"""Writing what a study found: page, Markdown, CSV, JSON, and the pictures of its galleries."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from artcluster.report.findings import Findings
from artcluster.report.gallery import Gallery, gallery_webp
from artcluster.stages.findings_files import write_findings
from artcluster.stages.job import Job
from artcluster.stages.studies.record import Study


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
        job: What to work with.
        study: The study.
        findings: What its page says.
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
