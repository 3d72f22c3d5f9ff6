"""The archive: what it lists, what of it is new, what is known about it, and its files' bytes."""

from artcluster.archive.comparison import Comparison, Summary, compare
from artcluster.archive.database import Limits, Relation
from artcluster.archive.entries import archive_id_of, check_archive_id, split_glob
from artcluster.archive.fetch import Fetcher, FetchSettings
from artcluster.archive.listing import Listing
from artcluster.archive.metadata import MetadataJoin, MetadataReport, join_metadata
from artcluster.archive.parts import Part, PartRef, PartRow, Target, read_part
from artcluster.archive.plan import Plan, latest_plan, part_refs, unfinished, write_plan
from artcluster.archive.readers import FetchedFile
from artcluster.archive.scan import Scan, latest_scan, read_scan, write_scan
from artcluster.archive.states import Known, State

__all__ = [
    "Comparison",
    "FetchSettings",
    "FetchedFile",
    "Fetcher",
    "Known",
    "Limits",
    "Listing",
    "MetadataJoin",
    "MetadataReport",
    "Part",
    "PartRef",
    "PartRow",
    "Plan",
    "Relation",
    "Scan",
    "State",
    "Summary",
    "Target",
    "archive_id_of",
    "check_archive_id",
    "compare",
    "join_metadata",
    "latest_plan",
    "latest_scan",
    "part_refs",
    "read_part",
    "read_scan",
    "split_glob",
    "unfinished",
    "write_plan",
    "write_scan",
]
