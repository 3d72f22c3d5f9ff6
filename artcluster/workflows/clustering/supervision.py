"""What people tell a method of a few images: labels, and pairs that belong together or do not.

The file is read once. What it says is kept in the store by content_id, under a name made of it, and
that name takes the file's place in the config: a run goes on without the file, a file that says
something else makes another run, and the images are known wherever a run is compared with labels.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa

from artcluster.archive.database import open_database, quoted
from artcluster.archive.tables import open_table
from artcluster.archive.text_tables import ROW
from artcluster.config import ClusterSettings
from artcluster.embedders.faces import finds_faces
from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.store.layout import HINTS
from artcluster.workflows.archives import contents_of, limits_of, open_tables
from artcluster.workflows.clustering.methods import find_method
from artcluster.workflows.embedding.metadata import check_lost_share
from artcluster.workflows.job import Job, fingerprint
from artcluster.workflows.runs import Run

_KINDS = ("must", "cannot")
_COLUMNS = "expected the columns path and label, or path, other and link (must or cannot)"


@dataclass(frozen=True)
class Supervision:
    """What was told, by content_id.

    Attributes:
        labels: Content and its label.
        must: Pairs that belong together.
        cannot: Pairs that do not.
    """

    labels: dict[str, str]
    must: list[tuple[str, str]]
    cannot: list[tuple[str, str]]

    @property
    def contents(self) -> frozenset[str]:
        """All contents that something was told of."""
        pairs = (content for pair in (*self.must, *self.cannot) for content in pair)
        return frozenset((*self.labels, *pairs))


def takes_hints(method: str) -> bool:
    """Tell whether a method is told of a few images, and fits by that."""
    return "hints" in find_method(method).settings


def check_supervision(settings: ClusterSettings, embedder: str) -> None:
    """Refuse, before any work, a method that is to be told of images and is not.

    Args:
        settings: Method and hints.
        embedder: Whose vectors are to be clustered, by id or name.

    Raises:
        UsageError: It has no hints, or they are of images and there are only faces.
    """
    if not takes_hints(settings.method):
        return
    if settings.hints is None:
        raise UsageError(
            f"the method {settings.method} needs to be told of a few images: --set "
            "cluster.hints=FILE, a table with the columns path and label, or path, other and link "
            "(must or cannot)"
        )
    if finds_faces(embedder):
        raise UsageError(
            f"the method {settings.method} is told of images, and these vectors are of faces: "
            "choose another embedder with --backbone, or group faces with --method faces-dbscan"
        )


def with_stored_hints(job: Job, archive_id: str) -> Job:
    """Return the job whose config names the hints as they lie in the store.

    Raises:
        UsageError: The file cannot be read or names an image that is not in the archive.
    """
    given = job.config.cluster.hints
    if given is None or given.startswith(HINTS.path("")):
        return job
    if not takes_hints(job.config.cluster.method):
        job.progress.say(
            f"{job.config.cluster.method} has no use for cluster.hints; their images are left out "
            "of the comparison with labels all the same."
        )
    told = asdict(_read_file(job, archive_id, given))
    path = HINTS.path(f"{fingerprint(told)}.json")
    job.store.write_bytes(path, json.dumps(told).encode())
    cluster = job.config.cluster.model_copy(update={"hints": path})
    return replace(job, config=job.config.model_copy(update={"cluster": cluster}))


def read_supervision(job: Job, archive_id: str) -> Supervision | None:
    """Return the configured hints; None where there are none.

    Raises:
        UsageError: As `with_stored_hints`.
    """
    path = with_stored_hints(job, archive_id).config.cluster.hints
    if path is None:
        return None
    return _stored(job, path)


def _stored(job: Job, path: str) -> Supervision:
    told = json.loads(job.store.read_bytes(path))
    pairs = {kind: [(one, other) for one, other in told[kind]] for kind in _KINDS}
    return Supervision(told["labels"], **pairs)


def check_hints_kept(job: Job, run: Run) -> None:
    """Refuse hints that tell of far fewer of an archive's images than those of the run to follow.

    Raises:
        ArchiveError: More than `metadata.max_lost_share` are told of no more.
    """
    path = run.config.get("cluster", {}).get("hints")
    if path is None or not job.store.exists(path):
        return
    present = contents_of(job.store, run.archive_id, job.config).to_pylist()
    before = _stored(job, path).contents.intersection(present)
    now = read_supervision(job, run.archive_id)
    lost = before - (now.contents if now is not None else frozenset())
    check_lost_share(job.config, "The file of hints", "hint", len(lost), len(before))


def _read_file(job: Job, archive_id: str, path: str) -> Supervision:
    location = Location.parse(path, job.config.archive.options)
    with open_database(limits_of(job.config)) as database:
        columns = open_table(database, location, "given")
        if "path" not in columns or not (
            {"label"} <= {*columns} or {"other", "link"} <= {*columns}
        ):
            raise UsageError(f"{location}: {_COLUMNS}, got {', '.join(columns)}")
        chosen = ", ".join(
            f"cast({name} as varchar) {name}" if name in columns else f"null {name}"
            for name in ("path", "label", "other", "link")
        )
        rows = database.table(f"select {chosen} from given order by {ROW}").to_pylist()
    contents = _contents(job, archive_id, (row[key] for row in rows for key in ("path", "other")))
    hints = Supervision({}, [], [])
    for number, row in enumerate(rows, 1):
        where = f"{location}, row {number}"
        one = _content(contents, row["path"], archive_id, where)
        label = row["label"]
        if label is not None and hints.labels.setdefault(one, label) != label:
            raise UsageError(
                f"{where}: {row['path']} has the labels {hints.labels[one]!r} and {label!r}: keep "
                "one of them"
            )
        if row["other"] is not None:
            if row["link"] not in _KINDS:
                raise UsageError(f"{where}: link must be must or cannot, got {row['link']!r}")
            other = _content(contents, row["other"], archive_id, where)
            getattr(hints, row["link"]).append((one, other))
        elif label is None:
            raise UsageError(f"{where} says nothing of {row['path']}: {_COLUMNS}")
    return hints


def _contents(job: Job, archive_id: str, paths: Iterable[Any]) -> dict[str, str]:
    """Return path → content_id of those among the archive's usable images."""
    asked = pa.table({"path": pa.array(sorted({path for path in paths if path}), pa.string())})
    with open_tables(job.store, job.config, "current_images") as tables:
        tables.register("asked", asked)
        found = tables.sql(
            "select path, content_id from current_images join asked using (path) "
            f"where archive_id = {quoted(archive_id)} and status = 'ok'"
        ).fetchall()
    return dict(found)


def _content(contents: dict[str, str], path: str | None, archive_id: str, where: str) -> str:
    if path not in contents:
        raise UsageError(
            f"{where}: {archive_id} has no usable image {path!r}; paths are those of the archive, "
            "as in `artcluster query STORE 'SELECT path FROM latest'`"
        )
    return contents[path]
