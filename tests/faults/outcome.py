"""What a fault did to a store: what is lost, what is there twice, what a reader saw meanwhile."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from artcluster.schema import ASSIGNMENTS, EMBEDDINGS, IMAGES, RUNS
from artcluster.store import Store
from artcluster.store.views import read_view


@dataclass(frozen=True)
class Outcome:
    """One line of the table.

    Attributes:
        fault: What was done, in words.
        times: How often.
        lost: Files of the archive that are not in the store as they are, or have no vector.
        doubled: Rows that are there more than once.
        reader_errors: What a reader saw that it must not see; None where none looked.
        recovery_s: From the start after the last fault to its end; None where nothing is started.
        ends: What a user saw.
    """

    fault: str
    times: int
    lost: int
    doubled: int
    reader_errors: int | None
    recovery_s: float | None
    ends: str


def lost(store: Store, images: Path) -> int:
    """Count the files of an archive that the store has not, or not with a vector."""
    expected = {
        str(file.relative_to(images)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in images.rglob("*")
        if file.is_file()
    }
    rows = read_view(store, "current_images", "arrow").to_pylist()
    found = {row["path"]: row for row in rows}
    vectors = set(store.table(EMBEDDINGS).read(["content_id"])["content_id"].to_pylist())
    missing = [
        path
        for path, content_id in expected.items()
        if path not in found
        or found[path]["content_id"] != content_id
        or (found[path]["status"] == "ok" and content_id not in vectors)
    ]
    return len(missing) + len(found.keys() - expected.keys())


def doubled(store: Store) -> int:
    """Count the rows of a store that are there more than once."""
    vectors = store.table(EMBEDDINGS).read(["content_id", "embedder_id"]).to_pylist()
    images = store.table(IMAGES).read(["archive_id", "path", "scan_id"]).to_pylist()
    assigned = store.table(ASSIGNMENTS).read(["content_id", "model_id"]).to_pylist()
    runs = store.table(RUNS).read(["run_id"]).to_pylist()
    return sum(
        count - 1
        for rows in (vectors, images, assigned, runs)
        for count in Counter(tuple(row.values()) for row in rows).values()
    )


def violations(store: Store, least_vectors: int) -> tuple[list[str], int]:
    """Look at a store as a reader does at any moment; return what is wrong, and the vectors."""
    wrong = []
    runs = store.table(RUNS).read(["run_id", "model_id", "images"]).to_pylist()
    for run in runs:
        mine = pc.field("model_id") == run["model_id"]
        rows = store.table(ASSIGNMENTS).read(["content_id"], mine)["content_id"].to_pylist()
        if len(rows) != len(set(rows)) or (run["images"] and not rows):
            wrong.append(f"run {run['run_id']}: {len(rows)} assignments, {len(set(rows))} distinct")
    # Images first: they are committed last.
    usable = store.table(IMAGES).read(["content_id"], pc.field("status") == "ok")
    vectors = store.table(EMBEDDINGS).read(["content_id"])["content_id"].to_pylist()
    without = set(usable["content_id"].to_pylist()) - set(vectors)
    if without:
        wrong.append(f"{len(without)} images without a vector")
    if len(vectors) != len(set(vectors)):
        wrong.append(f"{len(vectors)} vectors of {len(set(vectors))} contents")
    if len(vectors) < least_vectors:
        wrong.append(f"{least_vectors} vectors, and then {len(vectors)}")
    return wrong, len(vectors)
