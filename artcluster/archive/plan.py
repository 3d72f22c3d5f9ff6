"""Plans: the files to do of one scan, stored as parts, so that a resume does not list again."""

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import obstore
import pyarrow as pa
import pyarrow.parquet as pq

from artcluster.archive.comparison import Comparison
from artcluster.archive.database import Limits, Relation, open_database
from artcluster.archive.entries import slug
from artcluster.archive.parts import PartRef, PartWriter, Target, part_lengths
from artcluster.archive.scan import claim_number, finish, numbered, numbers, read_finished
from artcluster.archive.states import Known, State, load_states
from artcluster.location import Location, ObjectStore
from artcluster.store.layout import PLANS


@dataclass(frozen=True)
class Plan:
    """What one scan leaves to do for one target.

    Attributes:
        scan_id: The scan planned.
        target: What is missing.
        pixel_policy: The policy planned for.
        round: Number of the plan among those of this scan and target, from 1.
        retry_reasons: Rejects with these reasons are tried again.
        files: Its Parquet files of parts, relative to the store's root.
        index: Its file of part references.
        parts: Number of parts.
        images: Files to do.
        size_bytes: Their bytes, where known.
        created_at: When it was made (ISO 8601).
    """

    archive_id: str
    scan_id: int
    target: Target
    pixel_policy: str
    round: int
    retry_reasons: tuple[str, ...]
    files: tuple[str, ...]
    index: str
    parts: int
    images: int
    size_bytes: int
    created_at: str


def write_plan(
    comparison: Comparison,
    root: Location,
    target: Target,
    *,
    part_images: int = 256,
    part_bytes: int = 512 << 20,
    scratch: Path | None = None,
) -> Plan:
    """Cut the files to do into parts and store them; the plan's JSON, which makes it one, is last.

    Args:
        comparison: Of the scan, open.
        root: The store's root.
        target: What is missing.
        part_images: A part holds no more files than this.
        part_bytes: A part holds no more bytes than this, unless it is one file alone.
        scratch: Folder for one temporary file.
    """
    scan, known = comparison.scan, comparison.known
    store = root.objects(create=True)
    folder = _folder(scan.archive_id, scan.scan_id, target)
    created_at = datetime.now(UTC).isoformat()
    number = claim_number(store, folder)
    header: dict[str, Any] = {
        "archive_id": scan.archive_id,
        "scan_id": scan.scan_id,
        "target": asdict(target),
        "pixel_policy": known.pixel_policy,
        "round": number,
    }
    with tempfile.TemporaryDirectory(prefix="artcluster-plan-", dir=scratch) as temporary:
        writer = PartWriter(store, numbered(folder, number), Path(temporary), header)
        for part in _cut(comparison.todo(), part_images, part_bytes):
            writer.add(part)
        writer.close()
    plan = Plan(
        **(header | {"target": target}),
        retry_reasons=tuple(known.retry_reasons),
        files=tuple(writer.files),
        index=writer.index,
        parts=writer.parts,
        images=writer.images,
        size_bytes=writer.size_bytes,
        created_at=created_at,
    )
    finish(store, f"{numbered(folder, number)}/plan.json", asdict(plan))
    return plan


def latest_plan(root: Location, archive_id: str, target: Target, pixel_policy: str) -> Plan | None:
    """Return the last plan of an archive for a target and a policy, or None."""
    store = root.objects(create=True)
    for scan_id in reversed(numbers(store, PLANS.path(archive_id))):
        folder = _folder(archive_id, scan_id, target)
        for number in reversed(numbers(store, folder)):
            plan = _read(store, f"{numbered(folder, number)}/plan.json")
            if plan and (plan.target, plan.pixel_policy) == (target, pixel_policy):
                return plan
    return None


def latest_plans(root: Location) -> Iterator[Plan]:
    """Yield the last plan of every archive and target."""
    store = root.objects(create=True)
    newest: dict[tuple[str, str], str] = {}
    for batch in obstore.list(store, prefix=PLANS.name):
        for entry in batch:
            path = entry["path"]
            if path.endswith("/plan.json"):
                archive_id, _, target, _, _ = PLANS.below(path)
                newest[archive_id, target] = max(path, newest.get((archive_id, target), ""))
    for path in sorted(newest.values()):
        plan = _read(store, path)
        if plan is not None:
            yield plan


def _read(store: ObjectStore, path: str) -> Plan | None:
    found = read_finished(store, path)
    if found is None:
        return None
    target = Target.of(found)
    found.pop("embedder_id", None)
    lists = {key: tuple(found[key]) for key in ("retry_reasons", "files")}
    return Plan(**(found | lists | {"target": target}))


def part_refs(root: Location, plan: Plan) -> Iterator[PartRef]:
    """Yield a plan's parts in order."""
    if root.is_local:
        source: Any = f"{root.uri.rstrip('/')}/{plan.index}"
    else:
        source = pa.BufferReader(bytes(obstore.get(root.objects(), plan.index).bytes()))
    with pq.ParquetFile(source) as file:
        for batch in file.iter_batches():
            for row in batch.to_pylist():
                yield PartRef(file=plan.files[row.pop("file")], **row)


def unfinished(
    root: Location, plan: Plan, images: Relation, embedded: Relation, limits: Limits | None = None
) -> Iterator[PartRef]:
    """Yield the parts that still hold files to do, without listing the archive again.

    Args:
        root: The store's root.
        plan: The plan.
        images: Rows of the `images` table as they are now.
        embedded: The contents that have what the plan makes now.
        limits: What the comparison may use.
    """
    if not plan.parts:
        return
    known = Known(images, embedded, plan.pixel_policy, plan.retry_reasons)
    with open_database(limits or Limits()) as database:
        files = database.fetch_files(root, plan.files)
        load_states(database, files, "part", plan.archive_id, plan.scan_id, known, plan.created_at)
        rows = database.execute(
            f"select distinct number from states where state <= {State.RETRIED}"
        )
    left = {number for (number,) in rows}
    yield from (ref for ref in part_refs(root, plan) if ref.part in left)


def _folder(archive_id: str, scan_id: int, target: Target) -> str:
    return f"{numbered(PLANS.path(archive_id), scan_id)}/{slug(target.key)}"


def _cut(tables: Iterator[pa.Table], images: int, size_bytes: int) -> Iterator[pa.Table]:
    """Yield the parts of a stream of files; a part may span two tables."""
    rest: pa.Table | None = None
    for table in tables:
        whole = table if rest is None else pa.concat_tables([rest, table])
        lengths = list(part_lengths(whole["size_bytes"].to_pylist(), images, size_bytes))
        start = 0
        for length in lengths[:-1]:
            yield whole.slice(start, length)
            start += length
        rest = whole.slice(start)
    if rest is not None:
        yield rest
