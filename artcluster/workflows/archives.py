"""What the store knows of an archive: its current images, counted, and their contents."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from artcluster.archive.database import Limits, Relation, quoted
from artcluster.archive.entries import archive_id_of, check_archive_id, local_file, split_glob
from artcluster.archive.fetch import FetchSettings
from artcluster.archive.listing import Listing
from artcluster.archive.lists import is_list
from artcluster.archive.scan import Scan, latest_scan, read_scan
from artcluster.config import Config
from artcluster.embedders.catalogue import is_baseline, is_trained_here
from artcluster.embedders.faces import finds_faces
from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.schema import EMBEDDINGS, REGIONS
from artcluster.store import Store
from artcluster.store.members import in_one, member_ids
from artcluster.store.views import duckdb_connection
from artcluster.workflows.job import Job


@dataclass(frozen=True)
class Archive:
    """An archive as a job was given it.

    Attributes:
        pattern: Glob below it, or None.
    """

    archive_id: str
    location: Location
    pattern: str | None


def resolve_archive(images: str, config: Config) -> Archive:
    """Tell a glob from a folder, and name the archive."""
    place, pattern = split_glob(images)
    location = Location.parse(place, config.archive.options)
    if config.archive.id is not None:
        return Archive(check_archive_id(config.archive.id), location, pattern)
    return Archive(archive_id_of(location, pattern), location, pattern)


def check_there(archive: Archive, config: Config) -> None:
    """Refuse an archive that is not there, before weights are fetched or machines started.

    Raises:
        UsageError: There is no such file or folder.
        ArchiveError: A bucket cannot be listed.
    """
    location = archive.location
    if location.is_local:
        if "::" not in location.uri and not Path(local_file(location.uri)).exists():
            raise UsageError(
                f"There is no file or folder {str(location)!r}. Is the path right, and is it "
                "mounted?"
            )
    elif not is_list(location):
        next(iter(Listing(location, fetch=fetch_settings(config))), None)


def limits_of(config: Config) -> Limits:
    """Return what joins over the store's tables may use."""
    return Limits(memory_bytes=config.store.memory_bytes)


def done_table(embedder_id: str) -> str:
    """Return the table whose rows tell which contents an embedder is done with.

    A picture may have no face: that it was looked at is told by `regions`.
    """
    return REGIONS.name if finds_faces(embedder_id) else EMBEDDINGS.name


def rows_of(store: Store, table: str, partition: dict[str, str]) -> Relation:
    """Return a table's rows as DuckDB reads them leanest: local files, else a dataset."""
    reader = store.table(table)
    if store.location.is_local:
        return reader.files(partition)
    dataset = reader.dataset()
    for column, value in partition.items():
        dataset = dataset.filter(ds.field(column) == value)
    return dataset


def fetch_settings(config: Config) -> FetchSettings:
    """Return how files of the archive are read."""
    archive = config.archive
    return FetchSettings(
        retries=archive.fetch_retries,
        max_unread_in_a_row=archive.max_unread_in_a_row,
        max_file_bytes=archive.max_file_bytes,
        threads=archive.fetch_threads,
    )


@dataclass(frozen=True)
class KnownArchive:
    """An archive as it is in the store.

    Attributes:
        scan_id: The last scan that changed anything; 0 for an archive that is not known.
        images: Paths with a usable picture.
        rejects: Rejected paths by reason, most frequent first.
        unread: Paths that could not be read when they were tried last.
        unread_examples: Some of them, each with the reason.
        files: Paths in all.
        damaged: Usable pictures of which a little is missing.
        listed_scan_id: The last scan whose files were read, or tried in vain.
    """

    scan_id: int
    images: int
    rejects: Mapping[str, int]
    unread: int = 0
    unread_examples: tuple[tuple[str, str], ...] = ()
    files: int = 0
    listed_scan_id: int = 0
    damaged: int = 0


def open_tables(
    store: Store, config: Config, *only: str, run_id: str | None = None
) -> duckdb.DuckDBPyConnection:
    """Open these tables and views of a store in DuckDB, within the configured memory."""
    memory_limit = f"{config.store.memory_bytes}B"
    return duckdb_connection(store, only, memory_limit=memory_limit, run_id=run_id)


def known_archive(store: Store, archive_id: str, config: Config) -> KnownArchive:
    """Count an archive's images and rejects."""
    mine = f"archive_id = {quoted(archive_id)}"
    with open_tables(store, config, "rejects") as tables:
        ((scan_id, listed_scan_id),) = tables.sql(
            # What cannot be read is tried again by every scan, and changes nothing.
            "select coalesce(max(scan_id) filter (where status <> 'unread'), 0), "
            f"coalesce(max(scan_id), 0) from images where {mine}"
        ).fetchall()
        ((images, damaged),) = tables.sql(
            "select count(*), count(*) filter (where reason = 'damaged') from current_images "
            f"where {mine} and status = 'ok'"
        ).fetchall()
        rejects = tables.sql(
            f"select reason, count(*) from rejects where {mine} and status = 'rejected' "
            "group by reason order by 2 desc, 1"
        ).fetchall()
        ((unread,),) = tables.sql(f"select count(*) from unread_images where {mine}").fetchall()
        ((files,),) = tables.sql(f"select count(*) from current_images where {mine}").fetchall()
        examples = tables.sql(
            f"select path, detail from unread_images where {mine} order by path limit {_EXAMPLES}"
        ).fetchall()
    return KnownArchive(
        scan_id,
        images,
        dict(rejects),
        unread=unread,
        unread_examples=tuple(examples),
        files=files,
        listed_scan_id=listed_scan_id,
        damaged=damaged,
    )


_EXAMPLES = 5


def archive_ids(store: Store) -> list[str]:
    """Return the archives of a store, sorted."""
    rows = store.table("images").dataset().to_table(columns=["archive_id"])
    return sorted(set(rows["archive_id"].unique().to_pylist()))


def choose_archive(store: Store, wanted: str | None) -> str:
    """Return the archive that is meant: the one named, or the only one.

    Raises:
        UsageError: There is none of that name, or several to choose from.
    """
    known = archive_ids(store)
    if wanted in known:
        return str(wanted)
    if wanted is None and len(known) == 1:
        return known[0]
    if not known:
        raise UsageError(f"the store {store.location} has no images yet: run `artcluster embed`")
    problem = f"no archive {wanted!r}" if wanted else "several archives"
    raise UsageError(f"the store has {problem}: choose one of {', '.join(known)} with --archive-id")


def fitting_embedders(store: Store, wanted: str | None) -> list[str]:
    """Return the embedder_ids of a name, or all that need not be named to be meant.

    Those that do are baselines, which a comparison embeds beside the rest, networks that methods
    trained, and faces, which lie beside the vectors of whole pictures; unless there are no others.
    """
    known = store.table("embeddings").distinct("embedder_id")
    named = store.table("embedders").read(["embedder_id", "name"]).to_pylist()
    names = {row["embedder_id"]: row["name"] for row in named}
    fitting = [str(each) for each in known if wanted in (None, each, names.get(each))]
    if wanted is None:
        for left_out in (_is_of_a_method, is_baseline, finds_faces):
            fitting = [each for each in fitting if not left_out(names.get(each, each))] or fitting
    return fitting


def choose_embedder(store: Store, wanted: str | None, *, whole: bool = False) -> str:
    """Return the embedder_id that is meant: by its name or id, or the only one with vectors.

    Args:
        wanted: Name or id.
        whole: Vectors of whole pictures are needed, not of faces.

    Raises:
        UsageError: There is none of that name, several to choose from, or it has no whole pictures.
    """
    fitting = fitting_embedders(store, wanted)
    if whole and fitting and all(map(finds_faces, fitting)):
        raise UsageError(
            f"{fitting[0]} has vectors of faces, and whole pictures are compared: choose another "
            "embedder with --backbone, or group faces with `artcluster cluster --method "
            "faces-dbscan`"
        )
    if len(fitting) == 1:
        return fitting[0]
    known = store.table("embeddings").distinct("embedder_id")
    if not known:
        raise UsageError(f"the store {store.location} has no vectors yet: run `artcluster embed`")
    problem = "several embedders fit" if fitting else f"there are no vectors by {wanted!r}"
    raise UsageError(f"{problem}: choose one of {', '.join(fitting or known)} with --backbone")


def _is_of_a_method(name: str) -> bool:
    """Tell whether a network is one that a method trains, or refined: those have no other name."""
    try:
        return is_trained_here(name)
    except UsageError:
        return True


def members_of(store: Store, archive_id: str, embedder_id: str, config: Config) -> pa.Array:
    """Return what an embedder has vectors of in an archive as it is now, sorted.

    That is the distinct contents of its usable images; for an embedder of faces, their faces.
    """
    if not finds_faces(embedder_id):
        return contents_of(store, archive_id, config)
    with open_tables(store, config, *_OF_FACES) as tables:
        found = tables.sql(_faces(archive_id, embedder_id)).to_arrow_table()
    members = member_ids(found["content_id"], found["region"])
    return members.take(pc.sort_indices(members))


def count_faces(store: Store, archive_id: str, embedder_id: str, config: Config) -> int:
    """Return the number of faces that an embedder found in an archive as it is now."""
    with open_tables(store, config, *_OF_FACES) as tables:
        ((count,),) = tables.sql(
            f"select count(*) from ({_faces(archive_id, embedder_id)})"
        ).fetchall()
    return int(count)


_OF_FACES = ("regions", "current_images")


def _faces(archive_id: str, embedder_id: str) -> str:
    return f"""
        select distinct content_id, region from regions
        where embedder_id = {quoted(embedder_id)} and region <> '' and content_id in (
            select content_id from current_images
            where archive_id = {quoted(archive_id)} and status = 'ok'
        )
    """


def contents_of(
    store: Store,
    archive_id: str,
    config: Config,
    *,
    run_id: str | None = None,
    each_path: bool = False,
) -> pa.Array:
    """Return the distinct contents of an archive's usable images, sorted; those of a run if given.

    Args:
        config: The memory that joins may take.
        run_id: As the archive was when this run was made.
        each_path: Return a content as often as the archive has it.

    Raises:
        ValueError: There is no such run.
    """
    chosen = "content_id" if each_path else "distinct content_id"
    with open_tables(store, config, "current_images", run_id=run_id) as tables:
        found = tables.sql(
            f"select {chosen} from current_images "
            f"where archive_id = {quoted(archive_id)} and status = 'ok' order by content_id"
        ).to_arrow_table()
    return in_one(found["content_id"].cast(pa.string()))


def stored_scan(job: Job, archive_id: str) -> tuple[Archive, Scan]:
    """Return an archive and the listing that the store's images are of.

    Raises:
        UsageError: The store has no listing of it any more.
    """
    scan_id = known_archive(job.store, archive_id, job.config).listed_scan_id
    root = job.store.location
    scan = read_scan(root, archive_id, scan_id) or latest_scan(root, archive_id)
    if scan is None:
        raise UsageError(
            f"the store {root} does not know any more where the archive {archive_id!r} lies: run "
            "`artcluster embed IMAGES STORE` with its folder, bucket or list, then this again"
        )
    return Archive(archive_id, Location.parse(scan.uri, job.config.archive.options), None), scan
