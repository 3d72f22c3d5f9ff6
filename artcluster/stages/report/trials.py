"""What an archive's sweeps and comparisons found, for its report."""

from artcluster.report.findings import Findings
from artcluster.stages.comparison.findings import comparison_findings
from artcluster.stages.comparison.record import read_comparisons
from artcluster.stages.sweep import read_sweeps
from artcluster.stages.sweep_findings import sweep_findings
from artcluster.store import Store

_MOST_SWEEPS = 12
_MOST_COMPARISONS = 3


def told_of(store: Store, archive_id: str) -> tuple[list[Findings], list[Findings]]:
    """Return what the last sweeps and the last comparisons found, the newest first."""
    sweeps = read_sweeps(store, archive_id)[:_MOST_SWEEPS]
    comparisons = read_comparisons(store, archive_id, _MOST_COMPARISONS)
    return (
        [sweep_findings(sweep) for sweep in sweeps],
        [comparison_findings(store, comparison) for comparison in comparisons],
    )
