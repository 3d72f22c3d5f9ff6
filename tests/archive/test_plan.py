import hashlib
import json
import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artcluster.archive import (
    Known,
    Listing,
    Scan,
    Target,
    compare,
    latest_plan,
    part_refs,
    read_part,
    unfinished,
    write_plan,
    write_scan,
)
from artcluster.archive.entries import ENTRIES
from artcluster.errors import ArchiveError, StoreError
from artcluster.location import Location
from tests.archive.rows import NO_ROWS, content, done, embedded, image, images
from tests.archive.test_folders import DEMO, at, write

NOTHING = Known(NO_ROWS, NO_ROWS, "policy")


def vectors(embedder_id: str) -> Target:
    return Target("vectors", embedder_id)


class Given(Listing):
    """A listing of given entries: path, size and version."""

    def __init__(self, entries, unreachable=()):
        super().__init__(Location.parse("/pictures"))
        self.tally.unreachable.extend(unreachable)
        object.__setattr__(self, "entries", entries)

    def __iter__(self):
        rows = [
            {"path": path, "uri": f"/pictures/{path}", "size_bytes": size, "version": version}
            for path, size, version in self.entries
        ]
        yield pa.RecordBatch.from_pylist(rows, ENTRIES)


def scan_of(root, entries, unreachable=()) -> Scan:
    return write_scan(Given(entries, unreachable), root, "met")


PATHS = st.sampled_from([f"{folder}/{name}.jpg" for folder in "ab" for name in "xyü"])
STATES = st.tuples(
    st.integers(0, 2),  # scan_id, of which 2 is the scan planned
    st.sampled_from(["ok", "rejected", "removed"]),
    st.sampled_from([1, 2, None]),  # size
    st.sampled_from(["v", "w", None]),
    st.sampled_from(["policy", "older"]),
    st.sampled_from(["truncated", "too-large", None]),
    st.integers(0, 3),  # content
)


def is_todo(listed, history, embedded_ids, retry_reasons):
    """The rule, in words of sets: what the plan is held against."""
    size, version = listed
    if not history:
        return True
    scan_id, status, known_size, known_version, policy, reason, held = history[-1]
    if status == "removed":
        return scan_id < 2
    same = (size is None or size == known_size) and (version is None or version == known_version)
    if not same and scan_id < 2:
        return True
    if status == "ok":
        return held not in embedded_ids
    return policy != "policy" or reason in retry_reasons


@settings(max_examples=25)
@given(
    listed=st.dictionaries(
        PATHS, st.tuples(st.sampled_from([1, 2, None]), st.sampled_from(["v", "w", None]))
    ),
    history=st.dictionaries(PATHS, st.lists(STATES, max_size=3)),
    embedded_ids=st.sets(st.integers(0, 3)),
    retry=st.booleans(),
    part_images=st.integers(1, 4),
)
def test_the_plan_is_what_a_naive_rule_says(
    tmp_path_factory, listed, history, embedded_ids, retry, part_images
):
    root = at(tmp_path_factory.mktemp("store"))
    entries = [(path, *state) for path, state in listed.items()]
    first = scan_of(root, entries)
    scan = replace(first, scan_id=2)
    # The latest row is by scan, then by time.
    history = {path: sorted(rows, key=lambda row: row[0]) for path, rows in history.items()}
    table = images(
        image(
            "met",
            path,
            scan_id=scan_id,
            status=status,
            size_bytes=size,
            version=version,
            pixel_policy=policy,
            reason=reason,
            content_id=content(str(held)),
            seen_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number),
        )
        for path, rows in history.items()
        for number, (scan_id, status, size, version, policy, reason, held) in enumerate(rows)
    )
    elsewhere = images([image("moma", path, content_id=content("9")) for path in listed])
    reasons = ("too-large",) if retry else ()
    known = Known(
        pa.concat_tables([elsewhere, table]),
        embedded(content(str(number)) for number in embedded_ids),
        "policy",
        reasons,
    )
    expected = [
        path
        for path, state in listed.items()
        if is_todo(state, history.get(path, []), embedded_ids, reasons)
    ]
    with compare(scan, root, known) as comparison:
        summary = comparison.summary
        removed = [row for batch in comparison.removed(1.0) for row in batch.to_pylist()]
        plan = write_plan(comparison, root, vectors("embedder"), part_images=part_images)
    assert {row["path"] for row in removed} == {
        path
        for path, states in history.items()
        if states and states[-1][1] != "removed" and path not in listed
    }
    assert summary.todo == len(expected)
    assert (
        summary.todo + summary.unchanged + summary.rejected + summary.gone + summary.unread
        == len(listed)
    )
    refs = list(part_refs(root, plan))
    parts = [read_part(root, ref) for ref in refs]
    assert [row.path for part in parts for row in part.rows] == expected
    assert all(len(part.rows) <= part_images for part in parts)
    if not reasons:
        assert list(unfinished(root, plan, known.images, known.embedded)) == refs


def test_the_demo_archive_is_planned_done_and_grows(tmp_path):
    root = at(tmp_path)
    scan = write_scan(Listing(at(DEMO)), root, "demo")
    with compare(scan, root, NOTHING) as comparison:
        assert comparison.summary.new == scan.images == 562
        assert comparison.summary.todo_bytes == scan.size_bytes
        plan = write_plan(comparison, root, vectors("net-1"), part_images=100)
    refs = list(part_refs(root, plan))
    assert [ref.images for ref in refs] == [100] * 5 + [62]
    assert latest_plan(root, "demo", vectors("net-1"), "policy") == plan
    assert latest_plan(root, "demo", vectors("net-2"), "policy") is None
    assert latest_plan(root, "demo", vectors("net-1"), "newer") is None
    parts = [read_part(root, ref) for ref in refs]
    half = done("demo", scan.scan_id, (row for part in parts[:3] for row in part.rows))
    assert list(unfinished(root, plan, half, half)) == refs[3:]
    whole = done("demo", scan.scan_id, (row for part in parts for row in part.rows))
    assert list(unfinished(root, plan, whole, whole)) == []
    again = write_scan(Listing(at(DEMO)), root, "demo")
    with compare(again, root, Known(whole, whole, "policy")) as comparison:
        assert comparison.summary.todo == comparison.summary.removed == 0
        assert write_plan(comparison, root, vectors("net-1")).parts == 0
    with compare(again, root, Known(whole, NO_ROWS, "policy")) as comparison:
        assert comparison.summary.unembedded == 562
        other = write_plan(comparison, root, vectors("net-2"))
    row = read_part(root, next(part_refs(root, other))).rows[0]
    assert row.content_id == content(row.path)


def test_a_file_that_changed_or_vanished_after_its_listing_is_done(tmp_path):
    root = at(tmp_path)
    scan = scan_of(root, [("a.jpg", 1, "v"), ("b.jpg", 1, "v")])
    with compare(scan, root, NOTHING) as comparison:
        plan = write_plan(comparison, root, vectors("net"))
    after = images(
        [
            image("met", "a.jpg", size_bytes=9, version="later", content_id=content("a")),
            image("met", "b.jpg", status="removed"),
        ]
    )
    assert list(unfinished(root, plan, after, after)) == []
    with compare(scan_of(root, [("b.jpg", 1, "v")]), root, Known(after, after, "policy")) as found:
        assert found.summary.new == found.summary.removed == 1


def test_rejects_are_tried_again_once_by_reason(tmp_path):
    root = at(tmp_path)
    scan = scan_of(root, [("a.jpg", 1, "v")])
    columns = {"status": "rejected", "reason": "too-large", "size_bytes": 1, "version": "v"}
    before = image("met", "a.jpg", **columns)
    known = Known(images([before]), NO_ROWS, "policy", ("too-large",))
    with compare(scan, root, known) as comparison:
        assert comparison.summary.retried == 1
        plan = write_plan(comparison, root, vectors("net"))
    assert len(list(unfinished(root, plan, known.images, NO_ROWS))) == 1
    again = image("met", "a.jpg", **columns | {"seen_at": datetime.now(UTC)})
    assert list(unfinished(root, plan, images([before, again]), NO_ROWS)) == []


def test_removing_too_much_stops_and_nothing_below_unread_folders_is_removed(tmp_path):
    root = at(tmp_path)
    table = images(
        image(
            "met", f"{folder}/{n}.jpg", size_bytes=1, version="v", width=7, content_id=content("")
        )
        for folder in "ab"
        for n in range(10)
    )
    known = Known(table, table, "policy")
    scan = scan_of(root, [(f"a/{n}.jpg", 1, "v") for n in range(8)])
    with compare(scan, root, known) as comparison:
        with pytest.raises(ArchiveError, match=r"12 of 20 .*60%.*max_removed_share=1"):
            comparison.removed(0.5)
        (batch,) = comparison.removed(0.6)
        assert batch.num_rows == 12
        assert set(batch.column("status").to_pylist()) == {"removed"}
        assert set(batch.column("scan_id").to_pylist()) == {scan.scan_id}
        assert set(batch.column("width").to_pylist()) == {7}
    partial = scan_of(
        root, [(f"a/{n}.jpg", 1, "v") for n in range(8)], unreachable=["b", "a/9.jpg"]
    )
    with compare(partial, root, known) as comparison:
        (batch,) = comparison.removed(0.5)
        assert batch.column("path").to_pylist() == ["a/8.jpg"]


def test_parts_are_bounded_by_bytes_and_named_by_their_work(tmp_path):
    root = at(tmp_path)
    entries = [(f"{n}.jpg", 10, "v") for n in range(300)] + [("big.jpg", 1000, "v")]
    with compare(scan_of(root, entries), root, NOTHING) as comparison:
        plans = [
            write_plan(comparison, root, vectors(name), part_bytes=25) for name in ("a", "a", "b")
        ]
    refs = [list(part_refs(root, plan)) for plan in plans]
    assert [ref.size_bytes for ref in refs[0]] == [20] * 150 + [1000]
    assert len(plans[0].files) == 3
    assert len({ref.part_id for several in refs for ref in several}) == 3 * 151
    assert [plan.round for plan in plans] == [1, 2, 1]
    assert latest_plan(root, "met", vectors("a"), "policy") == plans[1]
    ref = pickle.loads(pickle.dumps(refs[0][70]))
    assert [row.path for row in read_part(root, ref).rows] == ["140.jpg", "141.jpg"]


def test_a_plan_that_was_lost_or_exchanged_is_named(tmp_path):
    root = at(tmp_path)
    with compare(scan_of(root, [("a.jpg", 1, "v")]), root, NOTHING) as comparison:
        (ref,) = part_refs(root, write_plan(comparison, root, vectors("net")))
    with pytest.raises(StoreError, match="does not hold what was planned"):
        read_part(root, replace(ref, part_id="0"))
    (tmp_path / ref.file).unlink()
    with pytest.raises(StoreError, match="plans anew"):
        read_part(root, ref)


def test_an_interrupted_plan_does_not_count(tmp_path):
    root = at(tmp_path)
    with compare(scan_of(root, [("a.jpg", 1, "v")]), root, NOTHING) as comparison:
        first = write_plan(comparison, root, vectors("net"))
        second = write_plan(comparison, root, vectors("net"))
    (tmp_path / second.files[0]).with_name("plan.json").unlink()
    assert latest_plan(root, "met", vectors("net"), "policy") == first


@pytest.mark.parametrize("target", [vectors("net-1"), Target("pixels", "0a1b")])
def test_plans_of_versions_before_are_read(tmp_path, target):
    """They named the embedder, and for pixels one that there was not."""
    root = at(tmp_path)
    with compare(scan_of(root, [("a.jpg", 1, "v")]), root, NOTHING) as comparison:
        plan = write_plan(comparison, root, target)
    key = {"vectors": "net-1", "pixels": "pixels-0a1b"}[target.makes]
    written = (tmp_path / plan.index).with_name("plan.json")
    before = json.loads(written.read_text())
    del before["target"]
    written.write_text(json.dumps(before | {"embedder_id": key}))
    parts = pq.read_table(tmp_path / plan.files[0])
    header = json.loads(parts.schema.metadata[b"plan"])
    del header["target"]
    header = {b"plan": json.dumps(header | {"embedder_id": key})}
    pq.write_table(parts.replace_schema_metadata(header), tmp_path / plan.files[0])
    assert latest_plan(root, "met", target, "policy") == plan
    (ref,) = part_refs(root, plan)
    assert [row.path for row in read_part(root, ref).rows] == ["a.jpg"]
    work = json.dumps([[key, "met", plan.scan_id, 1], [["a.jpg", 1, "v"]]])
    assert ref.part_id == hashlib.sha256(work.encode()).hexdigest()[:32]


def test_tables_come_as_files_too_and_may_lack_columns(tmp_path):
    write(tmp_path, "archive/a.jpg", "archive/b.jpg")
    root = at(tmp_path / "it's a [store]")
    scan = write_scan(Listing(at(tmp_path / "archive")), root, "met")
    with compare(scan, root, NOTHING) as comparison:
        plan = write_plan(comparison, root, vectors("net"))
    rows = read_part(root, next(part_refs(root, plan))).rows
    table = done("met", scan.scan_id, rows[:1]).drop_columns(["reason", "detail"])
    file = tmp_path / "it's a [store]" / "images [1]*.parquet"
    pq.write_table(table, file)
    with compare(scan, root, Known([file], [str(file)], "policy")) as comparison:
        assert (comparison.summary.new, comparison.summary.unchanged) == (1, 1)


@pytest.mark.s3
def test_scans_and_plans_lie_in_object_storage_too(tmp_path, s3):
    root = s3.location()
    scan = write_scan(Listing(at(DEMO)), root, "demo")
    with compare(scan, root, NOTHING) as comparison:
        plan = write_plan(comparison, root, vectors("net"), part_images=100)
    refs = list(part_refs(root, plan))
    first = read_part(root, refs[0])
    assert len(first.rows) == 100
    table = done("demo", scan.scan_id, first.rows)
    assert list(unfinished(root, plan, table, table)) == refs[1:]
    assert latest_plan(root, "demo", vectors("net"), "policy") == plan
