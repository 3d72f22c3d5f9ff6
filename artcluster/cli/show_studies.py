"""Studies as people read them at a terminal, and as JSON for machines."""

from artcluster.cli.printing import print_json
from artcluster.cli.show_findings import show_findings
from artcluster.report.findings import Findings
from artcluster.stages.studies.record import StudySummary
from artcluster.stages.summary import as_json as plain


def show_summary(made: StudySummary, findings: Findings, json_wanted: bool) -> None:
    """Print what a study found."""
    if json_wanted:
        print_json(plain(made))
        return
    show_findings(findings, made.files, already=made.already)
