"""Studies as people read them at a terminal, and as JSON for machines."""

from dataclasses import asdict

from artcluster.cli.printing import print_json
from artcluster.cli.show_findings import show_findings
from artcluster.report.findings import Findings
from artcluster.stages.studies.record import StudySummary


def show_summary(made: StudySummary, findings: Findings, json_wanted: bool) -> None:
    """Print what a study found."""
    if json_wanted:
        print_json(asdict(made))
        return
    show_findings(findings, made.files, already=made.already)
