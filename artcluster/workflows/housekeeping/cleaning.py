"""One cleaning of a store: what it found, what it keeps and why, and the leases it needs."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from artcluster.archive.plan import Plan
from artcluster.config import Config
from artcluster.errors import LeaseHeldError
from artcluster.schema import Table
from artcluster.store import Fence, Store
from artcluster.store.blobs import Blobs, Entry
from artcluster.store.layout import CLOCK, Folder


@dataclass
class Removal:
    """What goes for one reason.

    Attributes:
        why: In words.
        count: How many of what `unit` says.
        unit: runs, models, files, …
        size_bytes: Bytes that fall free; files that a commit took out of a table fall free later.
    """

    why: str
    count: int
    unit: str
    size_bytes: int


@dataclass
class Cleaning:
    """One pass over a store, dry or in earnest.

    Attributes:
        dry: Whether nothing is to be removed.
        now: The time by the storage's clock, which all ages are taken against.
        fences: Of the lease that lets one cleaning at a time work; none when dry.
        unfinished: Plans that the same command would resume.
        removals: What goes, in the order found.
        kept: What stays though it looks superfluous, and why.
    """

    store: Store
    config: Config
    dry: bool
    now: datetime
    fences: Sequence[Fence] = ()
    unfinished: Sequence[Plan] = ()
    removals: list[Removal] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    @property
    def blobs(self) -> Blobs:
        """The store's files."""
        return Blobs(self.store.location)

    @contextmanager
    def holding(
        self, names: Sequence[str], tables: Sequence[Table], *, forget: bool = False
    ) -> Iterator[bool]:
        """Hold the leases of those who might use something, while it is looked at and removed.

        Args:
            names: The leases.
            tables: Tables that their holders commit to.
            forget: Leave no files of the leases: what they are on is removed for good.

        Yields:
            False where a job holds one of them, so that nothing may be touched. A dry run takes
            none.
        """
        ttl_s = self.config.store.lease_ttl_s
        with ExitStack() as held:
            free = True
            for name in [] if self.dry else names:
                try:
                    lease = held.enter_context(self.store.lease(name, tables, ttl_s=ttl_s))
                    if forget:
                        lease.forget()
                except LeaseHeldError:
                    self.keep(f"what a job uses now: {name}")
                    free = False
                    break
            yield free

    def keep(self, what: str) -> None:
        """Note what stays, once."""
        if what not in self.kept:
            self.kept.append(what)

    def remove(self, why: str, count: int, unit: str, size_bytes: int = 0) -> None:
        """Note what goes; the same reason again is added up."""
        for removal in self.removals:
            if (removal.why, removal.unit) == (why, unit):
                removal.count += count
                removal.size_bytes += size_bytes
                return
        if count:
            self.removals.append(Removal(why, count, unit, size_bytes))

    def delete(self, why: str, entries: Iterable[Entry]) -> None:
        """Delete files and note them."""
        gone = list(entries)
        self.remove(why, len(gone), "files", sum(entry.size_bytes for entry in gone))
        if not self.dry:
            self.blobs.delete([entry.path for entry in gone])

    def folders(self, folder: Folder) -> dict[str, list[Entry]]:
        """Return the files below a folder of the store by the first part of their path."""
        found: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.blobs.entries(folder.name):
            found[folder.below(entry.path)[0]].append(entry)
        return found

    def older(self, when: datetime, *, hours: float = 0, days: float = 0) -> bool:
        """Tell whether something is at least so old."""
        return self.now - when >= timedelta(hours=hours, days=days)


def storage_time(store: Store) -> datetime:
    """Return the time by the clock that dates the store's files, by writing and removing one."""
    blobs = Blobs(store.location)
    path = CLOCK.path(uuid4().hex)
    blobs.write(path, b"")
    try:
        (entry,) = [each for each in blobs.entries(CLOCK.name) if each.path == path]
    finally:
        blobs.delete([path])
    return entry.modified_at
