"""Where indexes lie: in the store, under names that say what they hold; on a disk when searched."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

from artcluster.errors import StoreError
from artcluster.store import Store
from artcluster.store.blobs import Blobs
from artcluster.store.clock import time_after
from artcluster.store.layout import INDEXES
from artcluster.workflows.searching.index import FILES, Facts

_MANIFEST = "index.json"
_BUILDING = "building-"
_KEPT = 2
_PIECE_BYTES = 64 << 20


@dataclass(frozen=True)
class KeptIndex:
    """An index in the store.

    Attributes:
        name: Its folder: the number of vectors, and a hash of the files they come from.
        shards: Those files, as `TableReader.paths` names them.
        facts: What is known of it.
        created_at: When it was built, ISO 8601.
    """

    name: str
    shards: tuple[str, ...]
    facts: Facts
    created_at: str


class IndexStore:
    """The indexes of one embedder's vectors.

    Args:
        cache: Folder of this machine, for stores that are not on its disks.
    """

    def __init__(self, store: Store, embedder_id: str, cache: Path) -> None:
        self._blobs = Blobs(store.location)
        self._prefix = INDEXES.path(quote(embedder_id, safe=""))
        local = store.location.is_local
        self._root = Path(store.location.uri) if local else cache / INDEXES.name / store.store_id
        self._remote = not local

    def newest(self) -> KeptIndex | None:
        """Return the index built last; None where there is none that can be read."""
        found = []
        for path in self._blobs.list(self._prefix):
            if path.endswith(f"/{_MANIFEST}"):
                kept = _parsed(self._blobs.read(path))
                if kept is not None:
                    found.append(kept)
        return max(found, key=lambda each: each.created_at, default=None)

    def folder(self, kept: KeptIndex) -> Path:
        """Return an index's folder on a disk of this machine, fetched there if need be."""
        folder = self._folder(kept.name)
        if self._remote and not folder.exists():
            fetching = self.new_folder()
            for name in FILES:
                self._fetch(f"{self._prefix}/{kept.name}/{name}", fetching / name)
            _moved(fetching, folder)
        return folder

    def new_folder(self) -> Path:
        """Make a folder to build an index in."""
        folder = self._folder(f"{_BUILDING}{uuid4().hex}")
        try:
            folder.mkdir(parents=True)
        except OSError as failed:
            raise StoreError(f"Cannot keep an index at {folder}: {failed}") from failed
        return folder

    def keep(self, folder: Path, shards: Sequence[str], facts: Facts) -> KeptIndex:
        """Make a finished folder the newest index, and remove all but the one before it."""
        text = "\n".join([facts.codes, str(facts.laid_out_for), *sorted(shards)])
        name = f"{facts.contents:09d}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        before = self.newest()
        last = datetime.fromisoformat(before.created_at) if before is not None else None
        at = time_after(last).isoformat()
        kept = KeptIndex(name, tuple(sorted(shards)), facts, at)
        if self._remote:
            for each in FILES:
                self._blobs.write(f"{self._prefix}/{name}/{each}", folder / each)
        _moved(folder, self._folder(name))
        # Last: who finds it finds the whole index.
        manifest = json.dumps(asdict(kept), indent=1).encode()
        self._blobs.write(f"{self._prefix}/{name}/{_MANIFEST}", manifest)
        self._remove_old()
        return kept

    def remove_unfinished(self) -> None:
        """Remove what builders left that died; to be called by the only builder there is."""
        for folder in self._folder("").glob(f"{_BUILDING}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _remove_old(self) -> None:
        manifests = [
            kept
            for path in self._blobs.list(self._prefix)
            if path.endswith(f"/{_MANIFEST}")
            and (kept := _parsed(self._blobs.read(path))) is not None
        ]
        for kept in sorted(manifests, key=lambda each: each.created_at)[:-_KEPT]:
            place = f"{self._prefix}/{kept.name}"
            self._blobs.delete([f"{place}/{_MANIFEST}", *(f"{place}/{name}" for name in FILES)])
            shutil.rmtree(self._folder(kept.name), ignore_errors=True)

    def _folder(self, name: str) -> Path:
        return self._root / self._prefix / name

    def _fetch(self, path: str, target: Path) -> None:
        size = self._blobs.size_bytes(path)
        with target.open("wb") as file:
            for start in range(0, size, _PIECE_BYTES):
                file.write(self._blobs.read_range(path, start, min(size, start + _PIECE_BYTES)))


def _moved(folder: Path, target: Path) -> None:
    if target.exists():
        shutil.rmtree(folder)
    else:
        os.replace(folder, target)  # noqa: PTH105


def _parsed(text: bytes) -> KeptIndex | None:
    """Read a manifest; None for one of another version of this program."""
    try:
        fields = json.loads(text)
        return KeptIndex(
            fields["name"],
            tuple(fields["shards"]),
            Facts(**fields["facts"]),
            fields["created_at"],
        )
    except (ValueError, KeyError, TypeError):
        return None
