"""What a cluster's metadata says about it: over-represented values, words, a suggested name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np

from artcluster.archive.database import identifier
from artcluster.metrics.over_representation import class_tf_idf, keyness, smoothed_lift
from artcluster.pages.content import Term, Word

MOST_VALUES = 1000
"""A column with more distinct values names single images rather than groups of them."""


_LEAST_LIFT = 1.2
_LEAST_SHARE = 0.02
_LEAST_COUNT = 3
_NAMING_LIFT = 1.3
_NAMING_SHARE = 0.25
_SECOND_LIFT = 2.0
_MOST_WORDS = 40_000
_WORD = r"[\p{L}][\p{L}\p{M}’'-]{2,}"


@dataclass(frozen=True)
class Counts:
    """Images by cluster and value of one column.

    Attributes:
        clusters: The clusters, ascending.
        values: The values, most frequent first.
        counts_CV: int64.
    """

    clusters: Sequence[int]
    values: Sequence[str]
    counts_CV: np.ndarray


def grouping_columns(
    tables: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str]
) -> list[str]:
    """Return the columns whose values group images: more than one, and not one an image.

    Args:
        tables: A connection.
        relation: A table with the columns and `cluster`, a row an image.
        columns: To choose from.
    """
    chosen = []
    for column in columns:
        ((filled, distinct),) = tables.sql(
            f"SELECT count(value), count(DISTINCT value) FROM {_valued(tables, relation, column)}"
        ).fetchall()
        if 1 < distinct <= min(MOST_VALUES, filled / 2):
            chosen.append(column)
    return chosen


def count_values(tables: duckdb.DuckDBPyConnection, relation: str, column: str) -> Counts:
    """Count images by cluster and value."""
    return _counts(
        tables,
        f"SELECT cluster, value, count(*) AS n FROM {_valued(tables, relation, column)} "
        "WHERE value IS NOT NULL GROUP BY ALL",
    )


def count_words(tables: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str]) -> Counts:
    """Count images by cluster and word over all text columns; rare words are left out."""
    kinds = _types(tables, relation)
    texts = [f"CAST({identifier(c)} AS VARCHAR)" for c in columns if kinds[c] == "VARCHAR"]
    if not texts:
        return Counts([], [], np.zeros((0, 0), np.int64))
    return _counts(
        tables,
        f"""
        WITH words AS (
            SELECT cluster, unnest(list_distinct(regexp_extract_all(
                lower(concat_ws(' ', {", ".join(texts)})), '{_WORD.replace("'", "''")}'
            ))) AS value FROM {relation}
        ), frequent AS (
            SELECT value FROM words GROUP BY value HAVING count(*) >= 2
            ORDER BY count(*) DESC, value LIMIT {_MOST_WORDS}
        )
        SELECT cluster, value, count(*) AS n FROM words SEMI JOIN frequent USING (value)
        GROUP BY ALL
        """,
    )


def over_represented(column: str, counts: Counts, most: int = 12) -> dict[int, list[Term]]:
    """Return each cluster's telling values, the most telling first.

    A value counts where at least three images of the cluster, and one in fifty, have it.
    """
    found: dict[int, list[Term]] = {}
    if not counts.counts_CV.size:
        return found
    lift_CV, key_CV = smoothed_lift(counts.counts_CV), keyness(counts.counts_CV)
    for row, cluster in enumerate(counts.clusters):
        total = max(int(counts.counts_CV[row].sum()), 1)
        terms = []
        for place in np.argsort(-key_CV[row], kind="stable")[:most]:
            count, lift = int(counts.counts_CV[row, place]), float(lift_CV[row, place])
            share = count / total
            if count >= _LEAST_COUNT and share >= _LEAST_SHARE and lift >= _LEAST_LIFT:
                terms.append(Term(column, counts.values[place], count, share, lift))
        found[cluster] = terms
    return found


def distinctive_keywords(
    tables: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str], most: int = 12
) -> dict[int, list[Term]]:
    """Return each cluster's telling values over several grouping columns, the best first."""
    found: dict[int, list[Term]] = {}
    for column in columns:
        for cluster, terms in over_represented(
            column, count_values(tables, relation, column), most
        ).items():
            found.setdefault(cluster, []).extend(terms)
    return {cluster: sorted(terms, key=_weight)[:most] for cluster, terms in found.items()}


def cloud(counts: Counts, most: int = 30) -> dict[int, list[Word]]:
    """Return each cluster's words by class-based TF-IDF, in alphabetical order, sized 1 to 6."""
    found: dict[int, list[Word]] = {}
    if not counts.counts_CV.size:
        return found
    weights_CW = np.where(smoothed_lift(counts.counts_CV) > 1, class_tf_idf(counts.counts_CV), 0)
    for row, cluster in enumerate(counts.clusters):
        best = [
            place
            for place in np.argsort(-weights_CW[row], kind="stable")[:most]
            if weights_CW[row, place] > 0 and counts.counts_CV[row, place] >= 2
        ]
        if not best:
            continue
        top = np.sqrt(weights_CW[row, best[0]])
        found[cluster] = sorted(
            (
                Word(
                    counts.values[place],
                    int(counts.counts_CV[row, place]),
                    1 + round(5 * float(np.sqrt(weights_CW[row, place]) / top)),
                )
                for place in best
            ),
            key=lambda word: word.text,
        )
    return found


def suggested_name(terms: Sequence[Term], preferred: Sequence[str] = ()) -> str:
    """Return a name made of a cluster's most telling values, of different columns; '' for none.

    Args:
        terms: Telling values, the most telling first.
        preferred: Columns whose values name a cluster rather than those of others.

    >>> aztec, sky = Term("style", "aztec", 9, 0.9, 3.0), Term("genre", "sky", 9, 0.5, 2.0)
    >>> suggested_name([aztec, sky]), suggested_name([aztec, sky], ["genre"])
    ('aztec · sky', 'sky')
    """
    fitting = [t for t in terms if t.lift >= _NAMING_LIFT and t.share >= _NAMING_SHARE]
    fitting = [t for t in fitting if t.column in preferred] or fitting
    chosen: dict[str, str] = {}
    for term in fitting:
        says_the_same = any(term.value in known or known in term.value for known in chosen.values())
        telling = not chosen or term.lift >= _SECOND_LIFT
        if telling and not says_the_same and term.column not in chosen:
            chosen[term.column] = term.value
    return " · ".join(list(chosen.values())[:2])


def term_text(term: Term) -> str:
    """Return a term as the table `clusters` keeps it.

    >>> term_text(Term("style", "aztec", 9, 0.9, 3.0))
    'style: aztec'
    """
    return f"{term.column}: {term.value}"


def distinct_names(suggested: Mapping[int, str]) -> dict[int, str]:
    """Tell clusters of the same suggested name apart by their numbers.

    >>> distinct_names({1: "aztec", 2: "aztec", 3: ""})
    {1: 'aztec (1)', 2: 'aztec (2)', 3: ''}
    """
    names = list(suggested.values())
    return {
        cluster: f"{name} ({cluster})" if name and names.count(name) > 1 else name
        for cluster, name in suggested.items()
    }


def _weight(term: Term) -> float:
    return -term.share * float(np.log2(term.lift))


def _valued(tables: duckdb.DuckDBPyConnection, relation: str, column: str) -> str:
    """Return a query of cluster and value as text, a row an image and value."""
    name = identifier(column)
    if _types(tables, relation)[column].endswith("[]"):
        name = f"unnest(list_distinct({name}))"
    text = "nullif(trim(CAST(value AS VARCHAR)), '')"
    return (
        f"(SELECT cluster, {text} AS value FROM (SELECT cluster, {name} AS value FROM {relation}))"
    )


def _types(tables: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    found = tables.sql(f"SELECT * FROM {relation} LIMIT 0")
    return dict(zip(found.columns, map(str, found.types), strict=True))


def _counts(tables: duckdb.DuckDBPyConnection, query: str) -> Counts:
    rows = tables.sql(query).fetchall()
    totals: dict[str, int] = {}
    for _, value, count in rows:
        totals[value] = totals.get(value, 0) + count
    values = sorted(totals, key=lambda value: (-totals[value], value))
    clusters = sorted({cluster for cluster, _, _ in rows})
    place_of = {value: place for place, value in enumerate(values)}
    row_of = {cluster: row for row, cluster in enumerate(clusters)}
    counts_CV = np.zeros((len(clusters), len(values)), np.int64)
    for cluster, value, count in rows:
        counts_CV[row_of[cluster], place_of[value]] = count
    return Counts(clusters, values, counts_CV)
