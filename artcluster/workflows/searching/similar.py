"""Pictures of a store that look like given ones: from the store, from files, or from a folder."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import numpy as np
import pyarrow as pa
from PIL import Image

from artcluster.archive.database import quoted
from artcluster.config import Config
from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.pages.sheets import Row, SheetTile, write_page
from artcluster.runtime.progress import Progress
from artcluster.store import Store
from artcluster.store.vectors import find_vectors
from artcluster.workflows.archives import choose_embedder, open_tables
from artcluster.workflows.curation.zero_shot_names import choose_word_embedder, open_text_tower
from artcluster.workflows.embedding.embedder import cache_folder
from artcluster.workflows.embedding.external_images import ExternalImage, ExternalImages
from artcluster.workflows.embedding.pictures import Pictures
from artcluster.workflows.runs import Run
from artcluster.workflows.searching.index import NO_KEY
from artcluster.workflows.searching.neighbours import Neighbours, Watcher

_CONTENT_ID = re.compile(r"[0-9a-f]{8,64}")
_AT_ONCE = 64
_MOST_WIDENINGS = 6


@dataclass(frozen=True)
class Match:
    """A picture of the store that is near to the one asked for.

    Attributes:
        content_id: Its contents.
        distance: Cosine distance, 0 for the same direction to 2.
        archive_id: The archive it is in.
        path: Its path there; the first of several.
        uri: Where it lies.
        copies: Paths with these very bytes.
        cluster: Its cluster in the archive's last run; None where it has none.
        cluster_name: That cluster's name.
    """

    content_id: str
    distance: float
    archive_id: str
    path: str
    uri: str
    copies: int
    cluster: int | None
    cluster_name: str | None


@dataclass(frozen=True)
class Similar:
    """The answer for one picture.

    Attributes:
        asked: What was asked for: a path or a content_id.
        uri: Where the picture lies; None where only its contents are known.
        content_id: Its contents.
        matches: The nearest pictures, best first, itself left out.
        reason: Why a picture could not be used; '' for one that could.
    """

    asked: str
    uri: str | None
    content_id: str | None
    matches: tuple[Match, ...]
    reason: str = ""


@dataclass(frozen=True)
class _Asked:
    name: str
    uri: str | None
    content_id: str | None
    vector: np.ndarray | None
    reason: str = ""


class SimilarPictures:
    """Answers which pictures of a store look like given ones.

    Args:
        neighbours: The search over an embedder's vectors, refreshed.
        config: How files are read and decoded, and the memory of joins.
        threads: CPU threads for pictures that have no vector yet.
        archive_id: Find pictures of this archive alone; None for all.
    """

    def __init__(
        self,
        store: Store,
        neighbours: Neighbours,
        config: Config,
        threads: int,
        archive_id: str | None = None,
    ) -> None:
        self._store = store
        self._neighbours = neighbours
        self._config = config
        self._archive_id = archive_id
        self._run_id: str | None = None
        self._outside = ExternalImages(store, neighbours.embedder_id, config, threads)

    def ask(self, asked: Sequence[str], top: int) -> Iterator[Similar]:
        """Yield the answer for each picture named: a content_id, a path in the store, a file, or
        every picture of a folder.

        Raises:
            UsageError: There is no such picture.
            ArchiveError: A file cannot be read.
        """
        waiting: list[_Asked] = []
        for name in asked:
            for each in self._resolved(name):
                waiting.append(each)
                if len(waiting) == _AT_ONCE:
                    yield from self._answered(waiting, top)
                    waiting = []
        yield from self._answered(waiting, top)

    def ask_vectors(
        self, names: Sequence[str], vectors_QD: np.ndarray, top: int
    ) -> Iterator[Similar]:
        """Yield the answer for each vector in the space of the pictures', such as a text's."""
        asked = [
            _Asked(name, None, None, vector) for name, vector in zip(names, vectors_QD, strict=True)
        ]
        yield from self._answered(asked, top)

    def ask_inside(self, name: str, top: int) -> Similar | None:
        """Return the answer for a picture of the store; None where there is none of that name."""
        inside = self._inside(name)
        return None if inside is None else next(self._answered([inside], top))

    def ask_bytes(self, name: str, data: bytes, top: int) -> tuple[Similar, np.ndarray | None]:
        """Return the answer for a picture that is handed in, and its vector.

        Nothing of it is kept.
        """
        asked = self._with_vector([ExternalImage(name, None, data)])
        return next(self._answered(asked, top)), asked[0].vector

    def uri_of(self, content_id: str) -> str | None:
        """Return where a picture of the store lies; None where it is not there any more."""
        found = self._current(np.array([content_id.encode()])).get(content_id)
        return None if found is None else found.uri

    def look_at(self, run: Run) -> None:
        """Find pictures as a run saw the archive from now on, if it is not the last one."""
        self._run_id = run.run_id if run.past else None

    def refresh(self) -> None:
        """Look what the store holds now."""
        self._neighbours.refresh()

    def _resolved(self, name: str) -> Iterator[_Asked]:
        inside = self._inside(name)
        if inside is not None:
            yield inside
            return
        for batch in self._outside.at(name):
            yield from self._with_vector(batch)

    def _inside(self, name: str) -> _Asked | None:
        """Find a picture of the store by its contents, path or address."""
        images = open_tables(self._store, self._config, "current_images", run_id=self._run_id)
        with images as tables:
            found = tables.execute(
                "SELECT content_id, any_value(uri) FROM current_images WHERE status = 'ok' AND "
                "(path = $name OR uri = $name OR uri = $uri OR starts_with(content_id, $prefix)) "
                "GROUP BY content_id ORDER BY bool_or(path = $name) DESC LIMIT 2",
                {
                    "name": name,
                    "uri": Location.parse(name, self._config.archive.options).uri,
                    "prefix": name if _CONTENT_ID.fullmatch(name) else "nothing",
                },
            ).fetchall()
        if not found:
            return None
        if len(found) > 1 and _CONTENT_ID.fullmatch(name):
            raise UsageError(f"several pictures begin with {name!r}: give more of the content_id")
        content_id, uri = found[0]
        vector = find_vectors(self._store, self._neighbours.embedder_id, [content_id])
        if content_id not in vector:
            raise UsageError(
                f"{name!r} is in the store, but has no vector by {self._neighbours.embedder_id}: "
                "run `artcluster embed`, or choose another embedder with --backbone"
            )
        return _Asked(name, uri, content_id, vector[content_id])

    def _with_vector(self, batch: Sequence[ExternalImage]) -> list[_Asked]:
        return [
            _Asked(each.name, each.uri, each.content_id, vector, each.reason)
            for each, vector in self._outside.embedded(batch)
        ]

    def _answered(self, asked: Sequence[_Asked], top: int) -> Iterator[Similar]:
        usable = [each for each in asked if each.vector is not None]
        answers = iter(self._matches(usable, top) if usable else [])
        for each in asked:
            found = () if each.vector is None else tuple(next(answers))
            yield Similar(each.name, each.uri, each.content_id, found, each.reason)

    def _matches(self, asked: Sequence[_Asked], top: int) -> list[list[Match]]:
        """Return the nearest current pictures; where many are gone, look further."""
        vectors_QD = np.stack([each.vector for each in asked if each.vector is not None])
        wanted = min(2 * top + 8, self._neighbours.count)
        for _ in range(_MOST_WIDENINGS):
            nearest = self._neighbours.nearest(vectors_QD, wanted)
            current = self._current(np.unique(nearest.keys_QK))
            answers = []
            for each, keys, cosines in zip(asked, nearest.keys_QK, nearest.cosine_QK, strict=True):
                hits = [
                    replace(current[key.decode()], distance=round(max(0.0, 1 - float(cosine)), 6))
                    for key, cosine in zip(keys, cosines, strict=True)
                    if key.decode() in current and key.decode() != each.content_id
                ]
                answers.append(hits[:top])
            if wanted >= self._neighbours.count or all(len(each) == top for each in answers):
                break
            wanted = min(4 * wanted, self._neighbours.count)
        return answers

    def _current(self, keys: np.ndarray) -> dict[str, Match]:
        """Return those of the contents that the archive still has."""
        ids = pa.table({"content_id": [key.decode() for key in keys if key != NO_KEY]})
        with open_tables(self._store, self._config, "latest", run_id=self._run_id) as tables:
            tables.register("asked", ids)
            rows = _shown(tables, ids["content_id"].to_pylist(), self._archive_id)
        return {content_id: Match(content_id, 0.0, *more) for content_id, *more in rows}


def _shown(
    tables: duckdb.DuckDBPyConnection, content_ids: Sequence[str], archive_id: str | None
) -> list[tuple[Any, ...]]:
    """Return what people want to know of the contents in `asked`, one row a content.

    Paths are found first: the view then looks at the rows of these paths alone. Lists written out
    reach the files' reader, which joins and parameters do not.
    """
    if not content_ids:
        return []
    paths = tables.execute(
        f"SELECT DISTINCT path FROM images WHERE content_id IN ({_list(content_ids)})"
    ).fetchall()
    if not paths:
        return []
    return tables.execute(
        f"""
        SELECT content_id, arg_min(archive_id, path), min(path), arg_min(uri, path), count(*),
               any_value(cluster), any_value(cluster_name)
        FROM latest
        WHERE path IN ({_list(path for (path,) in paths)})
          AND content_id IN (SELECT content_id FROM asked)
          AND ($archive_id IS NULL OR archive_id = $archive_id)
        GROUP BY content_id
        """,
        {"archive_id": archive_id},
    ).fetchall()


def _list(texts: Iterable[str]) -> str:
    return ", ".join(map(quoted, texts))


def find_similar(
    store: Store,
    config: Config,
    progress: Progress,
    *,
    images: Sequence[str] = (),
    words: Sequence[str] = (),
    top: int = 20,
    backbone: str | None = None,
    archive_id: str | None = None,
    threads: int = 1,
) -> Iterator[Similar]:
    """Yield the pictures that look like each of some images, or match each of some words.

    Args:
        progress: Of an index that is built or added to.
        backbone: Whose vectors to use, if the store has several.
        archive_id: Only find pictures of this archive.
        threads: CPU threads.

    Raises:
        UsageError: Neither images nor words are given or both, or there are no such vectors.
    """
    if bool(images) == bool(words) or not all(map(str.strip, words)):
        raise UsageError("similar: expected either images or words")
    if words:
        embedder = choose_word_embedder(store, backbone)
        embedder_id = embedder.embedder_id
    else:
        embedder_id = choose_embedder(store, backbone, whole=True)
    neighbours = open_neighbours(store, embedder_id, config, cache_folder(), progress)
    neighbours.refresh()
    pictures = SimilarPictures(store, neighbours, config, threads, archive_id)
    if words:
        tower = open_text_tower(store, embedder)
        return pictures.ask_vectors(words, tower.words(words), top)
    return pictures.ask(images, top)


def open_neighbours(
    store: Store,
    embedder_id: str,
    config: Config,
    cache: Path,
    progress: Progress,
    *,
    resident: bool = False,
) -> Neighbours:
    """Return the search over an embedder's vectors; `refresh` it before it is used."""
    watcher = Watcher(progress.say)
    return Neighbours(store, embedder_id, config.search, cache, watcher, resident=resident)


def write_similar_page(
    answers: Iterable[Similar], config: Config, cell_px: int, target: BinaryIO
) -> int:
    """Write the page and return the number of pictures asked for."""
    count = 0

    def rows(pictures: Pictures) -> Iterator[Row]:
        nonlocal count
        for answer in answers:
            count += 1
            asked = SheetTile(_copy(pictures, answer.uri), answer.asked, "asked for")
            tiles = tuple(
                SheetTile(_copy(pictures, match.uri), match.path, match_words(match))
                for match in answer.matches
            )
            yield Row(asked, tiles, answer.reason)

    with Pictures(config, cell_px) as pictures:
        write_page(rows(pictures), target)
    return count


def match_words(match: Match) -> str:
    """Return distance and cluster in a few words."""
    words = [f"{match.distance:.3f}"]
    if match.cluster is not None:
        words.append(f"cluster {match.cluster}")
    if match.cluster_name:
        words.append(match.cluster_name)
    return " · ".join(words)


def _copy(pictures: Pictures, uri: str | None) -> Image.Image | None:
    return None if uri is None else pictures.at(uri).image
