"""What a listing left out, and why: kept beside it, and written with the scan."""

from collections import Counter
from dataclasses import dataclass, field

from artcluster.errors import ArchiveError

_UNREACHABLE_LIMIT = 10_000


@dataclass
class Tally:
    """Counts of what was not listed.

    Attributes:
        skipped: Reason → count. A hidden folder of a local disk counts as one.
        unreachable: Folders that could not be read and links that lead nowhere. What is known
            below them is not taken for removed.
    """

    skipped: Counter[str] = field(default_factory=Counter)
    unreachable: list[str] = field(default_factory=list)

    def skip(self, reason: str) -> None:
        """Count one file or folder that is not listed."""
        self.skipped[reason] += 1

    def lose(self, path: str, reason: str) -> None:
        """Record a path that could not be looked at.

        Raises:
            ArchiveError: There are so many of them that the listing is worth nothing.
        """
        self.skip(reason)
        self.unreachable.append(path)
        if len(self.unreachable) > _UNREACHABLE_LIMIT:
            raise ArchiveError(
                f"More than {_UNREACHABLE_LIMIT:,} folders or links of the archive cannot be read, "
                f"the last at {path!r}. Check that all its disks and shares are mounted."
            )
