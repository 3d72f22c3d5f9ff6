"""Images sorted into a folder a cluster, as links or copies; run again, it tidies what it made."""

import errno
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import duckdb

from artcluster.archive.containers import member_address
from artcluster.archive.database import quoted
from artcluster.archive.entries import local_file
from artcluster.archive.fetch import Fetcher
from artcluster.config import Config
from artcluster.errors import ArchiveError, UsageError
from artcluster.location import Location
from artcluster.runtime.progress import Progress
from artcluster.store import Store
from artcluster.workflows.archives import fetch_settings
from artcluster.workflows.runs import Run, open_run
from artcluster.workflows.viewing.sort_record import FOLDER, SortedFile, SortRecord

_LONGEST_BYTES = 180
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def safe_name(text: str) -> str:
    r"""Return a text as the name of a file or folder.

    Characters that Windows forbids, control characters and signs that turn the direction of
    writing become '_'; names do not begin with a dash or a dot, nor end with a dot or a space.

    >>> safe_name("Saints <& sinners>: 1/2?")
    'Saints _& sinners__ 1_2_'
    >>> safe_name("../../etc"), safe_name("nul.txt"), safe_name(" .\u202egnp ")
    ('__.._etc', '_nul.txt', '__gnp')
    """
    text = unicodedata.normalize("NFC", text)
    text = "".join("_" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co") else c for c in text)
    text = _FORBIDDEN.sub("_", text).strip()
    text = re.sub(r"^[.\-~]+", "_", text).rstrip(". ")
    return _cut(f"_{text}" if _RESERVED.fullmatch(text) else text, _LONGEST_BYTES) or "_"


def safe_file_name(path: str) -> str:
    """Return the last part of a path as a safe name; a long one keeps its ending.

    >>> safe_file_name("constellations/aztec/a?b.jpg")
    'a_b.jpg'
    >>> name = safe_file_name("ü" * 300 + ".jpeg"); len(name.encode()), name[-6:]
    (179, 'ü.jpeg')
    """
    name = path.rsplit("/", 1)[-1]
    stem, dot, ending = name.rpartition(".")
    if not dot or not stem or len(ending) > 8:
        return safe_name(name)
    ending = safe_name(ending)
    return f"{_cut(safe_name(stem), _LONGEST_BYTES - len(ending.encode()) - 1)}.{ending}"


def _cut(text: str, size_bytes: int) -> str:
    return text.encode()[:size_bytes].decode(errors="ignore").rstrip(". ")


_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class SortSettings:
    """How images are sorted.

    Attributes:
        copy: Copy local images, too, instead of linking to them.
        rejects: Put rejected files into folders by reason.
        noise: Put images that belong to no cluster into a folder.
    """

    copy: bool = False
    rejects: bool = False
    noise: bool = False


@dataclass
class SortSummary:
    """What sorting did.

    Attributes:
        files: Images in them.
        made: Of these, made now.
        removed: Made by an earlier sorting and not wanted any more.
        left_alone: Names that files of somebody else have taken; their images are not sorted.
        missing: Images that cannot be read, or changed since they were embedded.
    """

    folders: int = 0
    files: int = 0
    made: int = 0
    removed: int = 0
    left_alone: int = 0
    missing: int = 0


def sort_images(
    store: Store,
    run: Run,
    target: Path,
    settings: SortSettings,
    config: Config,
    progress: Progress,
) -> SortSummary:
    """Make a folder of images for each cluster, or bring the folders of an earlier sorting up.

    Only what a sorting made is ever removed, and only while it is as it was made: a link to the
    same place, a copy of the same bytes. Images of remote archives are copied.

    Raises:
        UsageError: The folder holds other things, or cannot be written.
    """
    summary = SortSummary()
    with SortRecord.open(target) as record:
        with open_run(store, run, config) as tables:
            record.want(_planned(tables, run, settings))
        for old in record.obsolete():
            summary.removed += _remove(target, old)
        progress.start("sort", None, "images")
        maker = _Maker(target, config)
        folders = set()
        for file, known in record.wanted():
            outcome = maker.make(file, known)
            if outcome in ("left alone", "missing"):
                record.forget(file)
            summary.made += outcome == "made"
            summary.left_alone += outcome == "left alone"
            summary.missing += outcome == "missing"
            if outcome in ("made", "there"):
                summary.files += 1
                folders.add(file.name.rsplit("/", 1)[0])
            progress.advance("sort", 1)
        progress.finish("sort")
    summary.folders = len(folders)
    return summary


def _planned(
    tables: duckdb.DuckDBPyConnection, run: Run, settings: SortSettings
) -> Iterator[SortedFile]:
    """Yield where each image goes; equal names in a folder are told apart by a hash of the path."""
    tables.create_function("safe_name", safe_name, ["VARCHAR"], "VARCHAR")
    tables.create_function("safe_file_name", safe_file_name, ["VARCHAR"], "VARCHAR")
    sources = [
        "SELECT format('{:0{}d}', cluster, digits) || coalesce(' ' || safe_name(cluster_name), '') "
        "AS folder, path, uri, content_id FROM shown, "
        "(SELECT greatest(2, length(CAST(max(cluster) AS VARCHAR))) AS digits FROM shown) "
        "WHERE cluster >= 0"
    ]
    if settings.noise:
        sources.append("SELECT 'noise', path, uri, content_id FROM shown WHERE cluster < 0")
    if settings.rejects:
        sources.append(
            "SELECT 'rejects/' || safe_name(reason), path, uri, content_id FROM rejects "
            f"WHERE archive_id = {quoted(run.archive_id)}"
        )
    # Not UNION ALL: two faces of a picture may be in one cluster.
    rows = tables.execute(
        f"""
        SELECT folder, base, uri, content_id, path,
               count(*) OVER (PARTITION BY lower(folder), lower(base)) > 1
        FROM (SELECT *, safe_file_name(path) AS base FROM ({" UNION ".join(sources)}))
        """
    )
    while batch := rows.fetchmany(4096):
        for folder, base, uri, content_id, path, shared in batch:
            name = f"{folder}/{_told_apart(base, path) if shared else base}"
            linked = (
                not settings.copy and Location.parse(uri).is_local and member_address(uri) is None
            )
            yield SortedFile(name, uri, content_id, "link" if linked else "copy")


def _told_apart(base: str, path: str) -> str:
    """Add a hash of its path to a name.

    >>> _told_apart("leda.jpg", "rome/leda.jpg")
    'leda~753e119f.jpg'
    """
    stem, dot, ending = base.rpartition(".")
    digest = hashlib.sha256(path.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{stem}~{digest}.{ending}" if dot else f"{base}~{digest}"


def _remove(target: Path, old: SortedFile) -> bool:
    """Remove what an earlier sorting made, if it is as it was made, and folders left empty."""
    target_file = target / old.name
    try:
        if not _is_ours(target_file, old):
            return False
        target_file.unlink()
    except OSError:
        return False
    for folder in target_file.parents:
        if folder == target:
            break
        with suppress(OSError):
            folder.rmdir()
    return True


def _is_ours(target_file: Path, file: SortedFile) -> bool:
    if file.kind == "link":
        return target_file.is_symlink() and os.readlink(target_file) == local_file(file.uri)  # noqa: PTH115
    if target_file.is_symlink() or not target_file.is_file():
        return False
    digest = hashlib.sha256()
    with target_file.open("rb") as opened:
        while piece := opened.read(_READ_BYTES):
            digest.update(piece)
    return digest.hexdigest() == file.content_id


class _Maker:
    """Makes links and copies, never in the place of what is there."""

    def __init__(self, target: Path, config: Config) -> None:
        self._target = target
        self._config = config
        self._fetchers: dict[str, Fetcher] = {}

    def make(self, file: SortedFile, known: bool) -> str:
        """Make a file and return what came of it: made, there, left alone, missing.

        Args:
            known: Whether an earlier sorting made it.
        """
        target_file = self._target / file.name
        try:
            if os.path.lexists(target_file):
                return "there" if known or _is_ours(target_file, file) else "left alone"
            if file.kind == "link":
                target_file.parent.mkdir(parents=True, exist_ok=True)
                target_file.symlink_to(local_file(file.uri))
                return "made"
            return self._copy(file, target_file)
        except FileExistsError:
            return "left alone"
        except OSError as failed:
            raise UsageError(f"cannot make {target_file}: {failed.strerror or failed}") from None

    def _copy(self, file: SortedFile, target_file: Path) -> str:
        try:
            fetched = self._fetcher(file.uri).fetch(file.uri)
        except ArchiveError:
            return "missing"
        if fetched.outcome != "ok" or fetched.content_id != file.content_id:
            return "missing"
        partial = self._target / FOLDER / f"partial-{uuid4().hex}"
        partial.write_bytes(fetched.data)
        target_file.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(partial, target_file)
            partial.unlink()
        except OSError as failed:
            if failed.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP):
                raise
            partial.rename(target_file)
        return "made"

    def _fetcher(self, uri: str) -> Fetcher:
        location = Location.parse(uri, self._config.archive.options)
        root = Location.parse("/") if location.is_local else location
        return self._fetchers.setdefault(
            location.protocol, Fetcher(root, fetch_settings(self._config))
        )
