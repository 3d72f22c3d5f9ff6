"""A JSON file of labels for FiftyOne; the images stay where they are."""

import json
from pathlib import Path
from typing import Any

from artcluster.archive.entries import local_file
from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.store.sql import rows_of
from artcluster.workflows.runs import open_run
from artcluster.workflows.viewing.exports.rows import LABEL_SQL, Export, counted, image_query

_FIFTYONE_OWN = {"id", "label", "logits", "tags"}


def write(export: Export, out: Path) -> str:
    """Write a JSON file of labels that FiftyOne imports; images stay where they are.

    Raises:
        UsageError: Images are not on this machine's disks.

    Source: the documented format FiftyOneImageClassificationDataset, with absolute file paths.
    """
    with open_run(export.store, export.run, export.config) as tables:
        named = tables.execute(
            f"SELECT DISTINCT {LABEL_SQL} FROM shown WHERE cluster IS NOT NULL ORDER BY ALL"
        ).fetchall()
        rows = rows_of(tables, image_query(tables, vectors=False, label=True))
        with export.open_file(out) as file:
            classes = json.dumps([name for (name,) in named], ensure_ascii=False)
            file.write(f'{{"classes": {classes},\n"labels": {{'.encode())
            between = "\n"
            for batch in counted(rows, export.progress):
                for row in batch.to_pylist():
                    file_path = json.dumps(_local(row.pop("image")), ensure_ascii=False)
                    file.write(f"{between}{file_path}: {_label(row)}".encode())
                    between = ",\n"
            file.write(b"\n}}\n")
    return (
        f"{out}: import it with `fiftyone.Dataset.from_dir(labels_path={str(out)!r}, dataset_type="
        'fiftyone.types.FiftyOneImageClassificationDataset, label_field="cluster")`'
    )


def _local(uri: str) -> str:
    if not Location.parse(uri).is_local:
        raise UsageError(
            f"FiftyOne reads images from disks, and {uri!r} is on none: sort them into a folder "
            "with `artcluster sort --copy`, or export to csv"
        )
    return local_file(uri)


def _label(row: dict[str, Any]) -> str:
    """Return FiftyOne's label of an image: its cluster, and all else as attributes."""
    words = row.pop("label")
    if row["cluster"] is None:
        return "null"
    fields = {
        f"metadata_{name}" if name in _FIFTYONE_OWN else name: value
        for name, value in row.items()
        if value is not None
    }
    target = {"label": words, "confidence": fields.pop("confidence", None), "attributes": fields}
    return json.dumps(target, ensure_ascii=False, default=str)
