"""Assignments as they are read back: of the members asked for, sorted, from any file."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from artcluster.schema import ASSIGNMENTS
from artcluster.store import Store
from artcluster.workflows.clustering.assignments import read_assignments

PICTURES = ["c" * 64, "a" * 64, "b" * 64]
FACE = "a" * 64 + "#1,2,3,4"


def rows(model_id: str, members: list[str], start: int) -> pa.Table:
    """Return assignments whose cluster, confidence and the like are counted up from a number."""
    halves = [member.partition("#") for member in members]
    numbers = np.arange(start, start + len(members))
    columns = {
        "model_id": [model_id] * len(members),
        "content_id": [content_id for content_id, _, _ in halves],
        "region": [region for _, _, region in halves],
        "low_confidence": numbers % 2 == 0,
        "outlier": numbers % 3 == 0,
    }
    return pa.table(
        [columns.get(each.name, numbers) for each in ASSIGNMENTS.schema],
        names=ASSIGNMENTS.schema.names,
    ).cast(ASSIGNMENTS.schema)


def test_members_asked_for_are_read_sorted_from_any_file(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store", create=True)
    store.append(ASSIGNMENTS, rows("m", PICTURES[:2], 0))
    store.append(ASSIGNMENTS, rows("m", [FACE, PICTURES[2]], 2))
    store.append(ASSIGNMENTS, rows("another", PICTURES, 10))

    found = read_assignments(store, "m", pa.array([PICTURES[0], "f" * 64, FACE, PICTURES[1]]))
    assert found.content_ids.to_pylist() == [PICTURES[1], FACE, PICTURES[0]]
    assert found.assignment.cluster.tolist() == [1, 2, 0]
    assert found.assignment.distance.tolist() == [1.0, 2.0, 0.0]
    assert found.assignment.low_confidence.tolist() == [False, True, True]
    assert found.assignment.outlier.tolist() == [False, False, True]
    assert found.assignment.cluster.dtype == np.int32


def test_of_a_model_that_assigned_nothing_nothing_is_read(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store", create=True)
    found = read_assignments(store, "m", pa.array(PICTURES))
    assert (len(found.content_ids), len(found.assignment)) == (0, 0)
