"""The pages of a report, in the order of its navigation.

To add one, write a function that builds it and add a record here.
"""

from artcluster.workflows.viewing.report import history, overview, points, rejects
from artcluster.workflows.viewing.report.page import ReportPage

PAGES = {
    "overview": ReportPage("Overview", overview.build, "overview.html", "index.html"),
    "map": ReportPage("Map", points.build, "map.html"),
    "distribution": ReportPage("Metadata", overview.build_distribution, "distribution.html"),
    "runs": ReportPage("Runs", history.build_runs, "runs.html"),
    "sweeps": ReportPage("Choosing k", history.build_sweeps, "findings.html"),
    "comparisons": ReportPage("Methods", history.build_comparisons, "findings.html"),
    "rejects": ReportPage("Rejects", rejects.build, "rejects.html"),
}
"""By name; a page's file is its name with `.html`, that of the first page `index.html`."""
