"""Names that words suggest for clusters: made by a network like CLIP's, kept beside people's."""

from typing import TYPE_CHECKING

from artcluster.embedders.catalogue import knows_words
from artcluster.errors import UsageError
from artcluster.store import Store
from artcluster.workflows.archives import choose_embedder
from artcluster.workflows.embedding.embedder import ReadyEmbedder, read_embedder, stored_state

if TYPE_CHECKING:
    from artcluster.embedders.clip_text import TextTower
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artcluster.clustering.chunks import unit_rows
from artcluster.embedders.faces import finds_faces
from artcluster.metrics.over_representation import word_fit
from artcluster.pages.content import FittingWord
from artcluster.schema import CLUSTER_WORDS
from artcluster.store.vectors import gather
from artcluster.workflows.job import Job
from artcluster.workflows.runs import Run, open_run

_HOW = (
    "embed the archive by a CLIP-like network first: pip install 'artcluster[clip]', then "
    "`artcluster embed IMAGES STORE --backbone clip:ViT-B-32/laion2b_s34b_b79k`, which leaves what "
    "the store has as it is"
)


def choose_word_embedder(
    store: Store, wanted: str | None, first: str | None = None
) -> ReadyEmbedder:
    """Return an embedder of the store whose vectors can be compared with words.

    Args:
        wanted: Its name or id; None for `first`, or the only one there is.
        first: The embedder_id that is taken where it knows words and none is wanted.

    Raises:
        UsageError: There is none, there are several, or the one wanted knows no words.
    """
    if wanted is not None:
        embedder = read_embedder(store, choose_embedder(store, wanted))
        if not knows_words(embedder.contract.network):
            raise UsageError(f"{embedder.embedder_id} knows no words: {_HOW}")
        return embedder
    known = [
        read_embedder(store, each) for each in store.table("embeddings").distinct("embedder_id")
    ]
    fitting = [each for each in known if knows_words(each.contract.network)]
    fitting = [each for each in fitting if each.embedder_id == first] or fitting
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(each.embedder_id for each in fitting)
        raise UsageError(f"several embedders know words: choose one of {names} with --backbone")
    names = ", ".join(each.embedder_id for each in known) or "none yet"
    raise UsageError(
        f"the store {store.location} has no vectors that words can be compared with (it has "
        f"{names}): {_HOW}"
    )


def open_text_tower(store: Store, embedder: ReadyEmbedder) -> "TextTower":
    """Return the tower for texts of an embedder, from its weights in the store.

    Raises:
        UsageError: OpenCLIP is not installed, or lacks the network's vocabulary.
    """
    from artcluster.embedders.clip_text import TextTower

    return TextTower(embedder.contract, stored_state(store, embedder))


SUBJECTS = "subjects"
"""The name of the list that comes with the package."""


_MOST = 20_000
_LONGEST = 100


@dataclass(frozen=True)
class WordList:
    """Words to choose from.

    Attributes:
        name: Where they come from, and a hash of them.
        words: The words, in the order of the list.
    """

    name: str
    words: tuple[str, ...]


def read_word_list(place: str) -> WordList:
    """Read a list: a word or a phrase a line; empty lines and those after # are passed over.

    Args:
        place: A text file in UTF-8, or `subjects`.

    Raises:
        UsageError: The file cannot be read, or holds fewer than two words, or too many.
    """
    if place == SUBJECTS:
        text = (files("artcluster.workflows.curation") / "subjects.txt").read_text(encoding="utf-8")
    else:
        try:
            text = Path(place).expanduser().read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"--words: {place!r} cannot be read as a text file in UTF-8: {error}"
            ) from error
    words = words_of(text)
    if not 2 <= len(words) <= _MOST:
        raise UsageError(
            f"--words: expected 2 to {_MOST:,} words in {place!r}, one a line, got {len(words):,}"
        )
    too_long = next((word for word in words if len(word) > _LONGEST), None)
    if too_long is not None:
        raise UsageError(f"--words: expected short phrases, one a line, got {too_long[:60]!r}…")
    digest = hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]
    return WordList(f"{Path(place).name} {digest}", words)


def words_of(text: str) -> tuple[str, ...]:
    """Return the distinct words of a list's text.

    >>> words_of("# Sea\\nships\\n\\n a harbour \\nships")
    ('ships', 'a harbour')
    """
    lines = (line.strip() for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line and not line.startswith("#")))


_KEPT = 8
_VECTORS = 200_000
_NAMING_LIFT = 1.3
_NAMING_PROBABILITY = 0.05
_SECOND = 0.5


@dataclass(frozen=True)
class ClusterWords:
    """The words that fit a cluster.

    Attributes:
        cluster: Its number, as people see it.
        images: Contents that its mean was taken of; 0 where none has a vector.
        words: The best of the list, the most telling first.
        name: The name they suggest; '' where none stands out.
    """

    cluster: int
    images: int
    words: tuple[FittingWord, ...]
    name: str


def suggest_words(job: Job, run: Run, words: WordList, backbone: str | None) -> list[ClusterWords]:
    """Find the words that fit each cluster of a run, and write them down for its series.

    The mean of each cluster, as people edited it, is taken over all its images, or as many of each
    as make 200,000 together.

    Args:
        words: The words to choose from.
        backbone: Whose vectors; None for the run's own, or the only ones that know words.

    Raises:
        UsageError: No vectors can be compared with words, or the clusters are of faces.
    """
    if finds_faces(run.embedder_id):
        raise UsageError(
            "the clusters of this run are of faces, which words do not tell apart: name them by "
            "`artcluster name STORE CLUSTER NAME`"
        )
    embedder = choose_word_embedder(job.store, backbone, run.embedder_id)
    tower = open_text_tower(job.store, embedder)
    with job.timings.stage("words", len(words.words), "words"):
        words_WD = tower.words(words.words)
        job.progress.advance("words", len(words.words))
    with open_run(job.store, run, job.config) as tables:
        picked = _picked(tables)
    with job.timings.stage("means", picked.num_rows, "images"):
        means = _means(job.store, embedder.embedder_id, picked, words_WD.shape[1])
        job.progress.advance("means", picked.num_rows)
    if not any(images for _, images in means.values()):
        raise UsageError(
            f"no image of the run {run.run_id} has a vector by {embedder.embedder_id}: embed them, "
            "or choose another embedder with --backbone"
        )
    found = _fitting(means, words, words_WD, tower.scale)
    _write(job.store, run, embedder.embedder_id, words, found)
    return found


def read_word_names(store: Store, series: str) -> dict[int, ClusterWords]:
    """Return the words that hold for a series of runs, by cluster."""
    rows = store.table(CLUSTER_WORDS).read(None, pc.field("series") == series)
    if not rows.num_rows:
        return {}
    latest = rows.filter(pc.equal(rows["suggested_at"], pc.max(rows["suggested_at"])))
    found: dict[int, list[FittingWord]] = {}
    images: dict[int, int] = {}
    for row in latest.to_pylist():
        if row["cluster"] is not None:
            images[row["cluster"]] = row["images"]
            found.setdefault(row["cluster"], []).append(
                FittingWord(row["word"], row["cosine"], row["probability"], row["lift"])
            )
    return {
        cluster: _of_cluster(cluster, images[cluster], sorted(words, key=_rank))
        for cluster, words in sorted(found.items())
    }


def remove_words(store: Store, run: Run) -> None:
    """Take the words of a run's series away."""
    _append(store, run, [{"cluster": None}])


def word_name(words: Sequence[FittingWord]) -> str:
    """Return the name that words suggest, of one or two; '' where none stands out.

    Args:
        words: The most telling first.

    >>> ships, sea = FittingWord("ships", 0.3, 0.6, 8.0), FittingWord("the sea", 0.29, 0.4, 6.0)
    >>> word_name([ships, sea]), word_name([ships, FittingWord("a dog", 0.1, 0.01, 9.0)])
    ('ships · the sea', 'ships')
    """
    telling = [
        word
        for word in words
        if word.lift >= _NAMING_LIFT and word.probability >= _NAMING_PROBABILITY
    ]
    near = [word for word in telling if _rank(word) <= _SECOND * _rank(telling[0])]
    return " · ".join(word.text for word in near[:2])


def _picked(tables: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return contents with their cluster: all, or as many of each as fit, drawn by their hash."""
    return tables.sql(
        f"""
        WITH members AS (
            SELECT content_id, any_value(cluster) AS cluster FROM shown
            WHERE cluster >= 0 GROUP BY content_id
        )
        SELECT content_id, cluster FROM members QUALIFY
            row_number() OVER (PARTITION BY cluster ORDER BY content_id)
            <= {_VECTORS} // (SELECT count(DISTINCT cluster) FROM members)
        ORDER BY content_id
        """
    ).to_arrow_table()


def _means(
    store: Store, embedder_id: str, picked: pa.Table, dim: int
) -> dict[int, tuple[np.ndarray, int]]:
    """Return the mean of each cluster's vectors at length one, and of how many it is."""
    wanted = picked["content_id"].combine_chunks()
    ids, x_ND = gather(store, embedder_id, wanted, limit_bytes=4 * dim * len(wanted))
    x_ND = unit_rows(x_ND)
    at = np.searchsorted(wanted.to_numpy(zero_copy_only=False), ids.to_numpy(zero_copy_only=False))
    clusters_N = picked["cluster"].to_numpy()[at]
    means = {}
    for cluster in np.unique(picked["cluster"].to_numpy()).tolist():
        rows = clusters_N == cluster
        means[cluster] = (x_ND[rows].sum(axis=0, dtype=np.float64), int(rows.sum()))
    return means


def _fitting(
    means: Mapping[int, tuple[np.ndarray, int]], words: WordList, words_WD: np.ndarray, scale: float
) -> list[ClusterWords]:
    known = [cluster for cluster, (_, images) in means.items() if images]
    found = [ClusterWords(cluster, 0, (), "") for cluster in means if cluster not in known]
    fit = word_fit(np.stack([means[cluster][0] for cluster in known]), words_WD, scale)
    for row, cluster in enumerate(known):
        best = np.lexsort((-fit.probability_CW[row], -fit.keyness_CW[row]))[:_KEPT]
        fitting = [
            FittingWord(
                words.words[place],
                float(fit.cosine_CW[row, place]),
                float(fit.probability_CW[row, place]),
                float(fit.lift_CW[row, place]),
            )
            for place in best
        ]
        found.append(_of_cluster(cluster, means[cluster][1], fitting))
    return sorted(found, key=lambda each: each.cluster)


def _of_cluster(cluster: int, images: int, words: Sequence[FittingWord]) -> ClusterWords:
    return ClusterWords(cluster, images, tuple(words), word_name(words))


def _write(
    store: Store, run: Run, embedder_id: str, words: WordList, found: Sequence[ClusterWords]
) -> None:
    _append(
        store,
        run,
        [
            {
                "cluster": each.cluster,
                "word": word.text,
                "cosine": word.cosine,
                "probability": word.probability,
                "lift": word.lift,
                "images": each.images,
                "embedder_id": embedder_id,
                "word_list": words.name,
            }
            for each in found
            for word in each.words
        ],
    )


def _append(store: Store, run: Run, rows: Sequence[dict[str, object]]) -> None:
    said = {"run_id": run.run_id, "series": run.series, "suggested_at": datetime.now(UTC)}
    table = pa.Table.from_pylist([said | row for row in rows], CLUSTER_WORDS.schema)
    store.append(CLUSTER_WORDS, table)


def _rank(word: FittingWord) -> float:
    """Order words as `word_fit` does: the most telling is the lowest."""
    return -word.probability * float(np.log2(word.lift))
