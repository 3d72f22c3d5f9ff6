"""Who holds a store's leases, whether they live, and what a job that wants the same would do."""

from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import unquote

from artcluster.stages.summary import Writer
from artcluster.store import Store
from artcluster.store.blobs import Blobs, Entry
from artcluster.store.lease import Record
from artcluster.store.process import Process


def writers(store: Store) -> Iterator[Writer]:
    """Yield the holders of leases that were not given back, dead ones too."""
    blobs = Blobs(store.location)
    newest: dict[str, Entry] = {}
    for entry in blobs.entries("leases"):
        name = entry.path.split("/")[1]
        if name not in newest or entry.path > newest[name].path:
            newest[name] = entry
    for name, entry in sorted(newest.items()):
        text = blobs.read_if_exists(entry.path)
        if text is None:
            continue
        record = Record.from_json(text)
        if not record.released:
            yield _writer(unquote(name), record, entry.modified_at)


def _writer(name: str, record: Record, renewed_at: datetime) -> Writer:
    silent_s = max(0.0, (datetime.now(UTC) - renewed_at).total_seconds())
    here = record.holder.machine == Process.current().machine
    if record.holder.is_dead():
        state, then = "dead", "takes it over at once when started on that machine, else after "
        then += f"{record.ttl_s:g} s"
    elif here:
        state, then = "alive", "waits for it, and ends with an error if that takes too long"
    elif silent_s > record.ttl_s:
        # By the storage's clock and ours, which need not agree: told, and nothing decided by it.
        state, then = "silent", f"watches it for {record.ttl_s:g} s, then takes it over"
    else:
        state, then = "renewing", "waits for it, and ends with an error if that takes too long"
    return Writer(
        what=name,
        host=record.holder.host,
        pid=record.holder.pid,
        note=record.note,
        since=record.since,
        renewed_seconds_ago=round(silent_s, 1),
        state=state,
        restart=then,
    )
