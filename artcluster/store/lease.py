"""Leases: one writer a thing, with a successor where the writer has died.

A lease is a row of numbered files, `leases/<name>/<epoch>.json`, each created only if absent; the
holder is who created the highest. It rewrites its own file alone, to count up while it lives and
to say when it lets go. Nobody trusts another machine's clock: a successor watches the count stand
still for the holder's term by its own clock, or sees on the same machine that the process is dead.
Create-if-absent works alike on local disks, S3, Google and Azure; so nothing else is used.
"""

import contextlib
import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from urllib.parse import quote, unquote
from uuid import uuid4

from artcluster.errors import FencedError, LeaseHeldError
from artcluster.store.blobs import Blobs, Entry
from artcluster.store.layout import LEASES, lease_file, lease_folder
from artcluster.store.process import Process, current_command

_EPOCH_SHIFT = 32


@dataclass(frozen=True)
class Fence:
    """What a lease's holder commits under: one Delta application id a lease, one epoch a holder.

    Every commit of the lease carries the transaction version `epoch << 32 | count`, which only
    grows. Delta itself refuses two concurrent commits of one application id, so that between
    reading the version and committing no other holder can slip in.
    """

    app_id: str
    epoch: int

    def next_version(self, committed: int | None) -> int:
        """Return the transaction version to commit next, given the last one in the table.

        Raises:
            FencedError: A later holder has committed.

        >>> Fence("job", 2).next_version(None) == (2 << 32) + 1
        True
        >>> Fence("job", 2).next_version((2 << 32) + 7) == (2 << 32) + 8
        True
        """
        last = committed or 0
        if last >> _EPOCH_SHIFT > self.epoch:
            raise FencedError(
                f"This job held {self.app_id!r} as its holder number {self.epoch}, but holder "
                f"number {last >> _EPOCH_SHIFT} has committed since: this job was thought dead "
                "and replaced. Nothing of it is committed any more; let the other job finish, "
                "then run this one again if anything is missing."
            )
        return max(last, self.epoch << _EPOCH_SHIFT) + 1

    @classmethod
    def of(cls, lease: str, epoch: int) -> "Fence":
        """Return the fence of a lease's holder."""
        return cls(f"artcluster/{quote(lease, safe='=')}", epoch)

    @staticmethod
    def epoch_of(committed: int | None) -> int:
        """Return the epoch in a table's transaction version; 0 for none."""
        return (committed or 0) >> _EPOCH_SHIFT


log = logging.getLogger(__name__)


_POLL_S = 0.5


@dataclass(frozen=True)
class Record:
    """What the holder of one epoch writes into its file."""

    epoch: int
    token: str
    holder: Process
    since: str
    note: str
    ttl_s: float
    count: int = 0
    released: bool = False

    def to_json(self) -> bytes:
        """Write the record."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "Record | None":
        """Read a record; None where the file holds something else."""
        try:
            fields = json.loads(text)
            return cls(**{**fields, "holder": Process(**fields["holder"])})
        except (ValueError, TypeError, KeyError):
            return None


class Lease:
    """The right to write one thing, held while the `with` block runs and renewed by a thread.

    Args:
        blobs: Files of the store.
        name: What is written, such as `embeddings-densenet121-ab12`.
        ttl_s: Seconds without a renewal after which another machine may take over.
        wait_s: Seconds to wait for another holder before giving up.
        first_epoch: Called where no holder was before; the number to begin with.
        on_takeover: Called with the new fence before the lease is handed out, where the holder
            before did not let go by itself: cuts off what it might still commit.
    """

    def __init__(
        self,
        blobs: Blobs,
        name: str,
        *,
        ttl_s: float = 60,
        wait_s: float = 0,
        first_epoch: Callable[[], int] = lambda: 1,
        on_takeover: Callable[[Fence], object] = lambda _: None,
    ) -> None:
        if not 0 < ttl_s < 86_400:
            raise ValueError(f"ttl_s: expected seconds between 0 and 86400, got {ttl_s}.")
        self.name = name
        self._blobs = blobs
        self._wait_s = wait_s
        self._first_epoch = first_epoch
        self._on_takeover = on_takeover
        since = datetime.now(UTC).isoformat(timespec="seconds")
        self._record = Record(0, uuid4().hex, Process.current(), since, current_command(), ttl_s)
        self._lost: str | None = None
        self._renewed_at = 0.0
        self._forgotten = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def fence(self) -> Fence:
        """What to commit under."""
        assert self._record.epoch, "the lease is not held"
        return Fence.of(self.name, self._record.epoch)

    def forget(self) -> None:
        """Leave no file behind at the end: for a lease on what was removed for good.

        The tables remember its holder, should the same be made again.
        """
        self._forgotten = True

    def check(self) -> None:
        """Make sure that the lease is still held, as far as is known without asking the store.

        Raises:
            FencedError: It passed to another, or could not be renewed for its whole term.
        """
        if self._lost is None and time.monotonic() - self._renewed_at > self._record.ttl_s:
            self._lost = f"it could not be renewed for {self._record.ttl_s:g} s"
        if self._lost is not None:
            raise FencedError(
                f"This job lost its lease on {self.name!r}: {self._lost}. Run it again once no "
                "other job writes the same; it goes on from its last commit."
            )

    def __enter__(self) -> "Lease":
        self._acquire()
        self._thread = threading.Thread(
            target=self._renew_until_stopped, name=f"lease-{self.name}", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self._lost is None:
            try:
                if self._forgotten:
                    self._blobs.delete([self._path(self._record.epoch)])
                else:
                    self._write(replace(self._record, released=True))
            except Exception as failed:
                # The work is committed; a lease left behind only makes the next job wait.
                log.warning("Could not release the lease on %s: %s", self.name, failed)

    def _acquire(self) -> None:
        began = time.monotonic()
        seen: tuple[int, str, int] | None = None
        seen_at = began
        while True:
            top = self._top()
            if top is None:
                if self._create(max(1, self._first_epoch()), took_over=False):
                    return
                continue
            now = time.monotonic()
            if seen != (top.epoch, top.token, top.count):
                seen, seen_at = (top.epoch, top.token, top.count), now
            if top.released or top.holder.is_dead() or now - seen_at > top.ttl_s:
                if self._create(top.epoch + 1, took_over=not top.released):
                    return
                continue
            if now - began >= self._wait_s:
                raise LeaseHeldError(self._held_by(top))
            time.sleep(min(_POLL_S, top.ttl_s / 4, max(0.01, self._wait_s - (now - began))))

    def _create(self, epoch: int, *, took_over: bool) -> bool:
        """Try to become holder number `epoch`; False where another was faster."""
        record = replace(self._record, epoch=epoch)
        path = self._path(epoch)
        created = self._blobs.write_if_absent(path, record.to_json())
        # A put that is tried again after a lost answer finds its own file.
        if not created and self._token_at(path) != record.token:
            return False
        epochs = self._epochs()
        if epochs and epochs[-1] > epoch:
            # Older files are removed: this number was free because its holder is long gone.
            self._blobs.delete([path])
            return False
        self._record = record
        self._renewed_at = time.monotonic()
        if took_over:
            log.warning("Took over the lease on %s from a job that no longer renews it", self.name)
            self._on_takeover(self.fence)
        with contextlib.suppress(Exception):
            self._blobs.delete([self._path(old) for old in epochs if old < epoch])
        return True

    def _renew_until_stopped(self) -> None:
        while not self._stop.wait(self._record.ttl_s / 4):
            try:
                self._renew()
            except Exception as failed:
                log.warning("Could not renew the lease on %s: %s", self.name, failed)
            if self._lost is not None:
                return

    def _renew(self) -> None:
        epochs = self._epochs()
        if epochs and epochs[-1] > self._record.epoch:
            self._lost = f"another job took it over as its holder number {epochs[-1]}"
            return
        began = time.monotonic()
        self._record = replace(self._record, count=self._record.count + 1)
        self._write(self._record)
        self._renewed_at = began

    def _write(self, record: Record) -> None:
        self._blobs.write(self._path(record.epoch), record.to_json())

    def _path(self, epoch: int) -> str:
        return lease_file(self.name, epoch)

    def _epochs(self) -> list[int]:
        names = (path.rsplit("/", 1)[-1] for path in self._blobs.list(lease_folder(self.name)))
        return sorted(int(name[:-5]) for name in names if name[:-5].isdigit())

    def _top(self) -> Record | None:
        """Return the record of the present holder; None where there never was one."""
        while epochs := self._epochs():
            text = self._blobs.read_if_exists(self._path(epochs[-1]))
            if text is not None:
                return Record.from_json(text) or self._unreadable(epochs[-1], text)
        return None

    def _unreadable(self, epoch: int, text: bytes) -> Record:
        """Stand for a damaged record: waited for, as its holder may live, and then taken over."""
        path = self._path(epoch)
        log.warning("The lease file %s is not readable: waiting for its holder's term", path)
        holder = Process("an unknown machine", "", 0, "")
        token = f"unreadable {hashlib.sha256(text).hexdigest()}"
        note = f"its record {path} is not readable"
        return Record(epoch, token, holder, "an unknown time", note, self._record.ttl_s)

    def _token_at(self, path: str) -> str | None:
        text = self._blobs.read_if_exists(path)
        record = None if text is None else Record.from_json(text)
        return None if record is None else record.token

    def _held_by(self, top: Record) -> str:
        note = f" ({top.note})" if top.note else ""
        return (
            f"Another job writes {self.name!r} in this store: process {top.holder.pid} on "
            f"{top.holder.host}{note}, since {top.since}. Wait for it to end and run this again. "
            f"If it died on another machine, its lease falls free when it was not renewed for "
            f"{top.ttl_s:g} s: wait at least that long for it."
        )


@dataclass(frozen=True)
class Holder:
    """Who holds a lease, or left it behind without letting go.

    Attributes:
        what: The lease's name, such as `embeddings=densenet121-ab12`.
        command: What the process was started as.
        since: When it took the lease, by its own clock.
        renewed_s: Seconds since it renewed the lease, by the storage's clock and this machine's.
        state: `alive` or `dead` on this machine; elsewhere `renewing`, or `silent` for longer than
            its term; `unreadable` where the record is damaged.
        takeover: What a job does that wants the same.
    """

    what: str
    host: str
    pid: int
    command: str
    since: str
    renewed_s: float
    state: str
    takeover: str


def lease_holders(blobs: Blobs) -> list[Holder]:
    """Return who holds leases of a store, by the leases' names; nothing is written."""
    newest: dict[str, Entry] = {}
    for entry in blobs.entries(LEASES.name):
        name = LEASES.below(entry.path)[0]
        if name not in newest or entry.path > newest[name].path:
            newest[name] = entry
    found = []
    for name, entry in sorted(newest.items()):
        text = blobs.read_if_exists(entry.path)
        if text is not None:
            holder = _holder(unquote(name), entry, Record.from_json(text))
            found += [] if holder is None else [holder]
    return found


def _holder(name: str, entry: Entry, record: Record | None) -> Holder | None:
    """Return the holder of a lease; None where it was let go of."""
    silent_s = round(max(0.0, (datetime.now(UTC) - entry.modified_at).total_seconds()), 1)
    if record is None:
        takeover = f"waits for its own term, then takes it over; {entry.path} is damaged"
        return Holder(name, "unknown", 0, "", "unknown", silent_s, "unreadable", takeover)
    if record.released:
        return None
    term = f"{record.ttl_s:g} s"
    if record.holder.is_dead():
        state = "dead"
        takeover = f"takes it over at once when started on that machine, else after {term}"
    elif record.holder.machine == Process.current().machine:
        state, takeover = "alive", "waits for it, and ends with an error if that takes too long"
    elif silent_s > record.ttl_s:
        # By the storage's clock and ours, which need not agree: shown, and nothing decided by it.
        state, takeover = "silent", f"watches it for {term}, then takes it over"
    else:
        state, takeover = "renewing", "waits for it, and ends with an error if that takes too long"
    return Holder(
        name,
        record.holder.host,
        record.holder.pid,
        record.note,
        record.since,
        silent_s,
        state,
        takeover,
    )
