"""Which pictures a study looks at."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from artcluster.errors import UsageError
from artcluster.workflows.archives import choose_archive
from artcluster.workflows.studies.sample import LabelledSample, SampleSpec, draw_sample
from tests.workflows.jobs import make_job


def drawn(store: Path, **wanted: Any) -> LabelledSample:
    job = make_job(store)
    return draw_sample(job, choose_archive(job.store, None), SampleSpec("genre", **wanted))


def test_every_labelled_content_once_in_order(studied: Path) -> None:
    sample = drawn(studied)
    assert list(sample.content_ids) == sorted(set(sample.content_ids))
    assert len(sample.content_ids) == 27
    assert Counter(sample.labels) == sample.counts
    assert list(sample.counts) == ["still life", "Portrait", "<b>poster</b>", "map", "gone"]
    assert sample.notes == ("1 of 28 images have no genre: left out.",)
    assert all(Path(uri).name == path for uri, path in zip(sample.uris, sample.paths, strict=True))


def test_rare_labels_are_pooled_or_left_out(studied: Path) -> None:
    pooled = drawn(studied, pool_below=4)
    assert pooled.counts == {"still life": 12, "Portrait": 9, "others": 6}
    assert pooled.notes[1] == (
        "<b>poster</b>, gone, map: fewer than 4 images each, pooled as others."
    )
    left = drawn(studied, min_images=3)
    assert left.counts == {"still life": 12, "Portrait": 9, "<b>poster</b>": 3}
    assert left.notes[1] == "gone, map: fewer than 3 images each, left out (3 images)."
    assert drawn(studied, top_labels=2).counts == {"still life": 12, "Portrait": 9}


def test_only_the_most_frequent_styles(studied: Path) -> None:
    sample = drawn(studied, of_column="style", top_values=2)
    assert sum(sample.counts.values()) == 26
    assert sample.notes[1].startswith("1 images outside the 2 most frequent values of style")


def test_values_grouped_by_a_file(studied: Path) -> None:
    groups = {"still life": "thing", "map": "thing", "Portrait": "person"}
    sample = drawn(studied, groups=groups)
    assert sample.counts == {"thing": 14, "person": 9}


def test_a_sample_keeps_each_labels_share_and_is_seeded(studied: Path) -> None:
    half = drawn(studied, max_images=14)
    assert Counter(half.labels) == {
        "still life": 6,
        "Portrait": 4,
        "<b>poster</b>": 2,
        "map": 2,
        "gone": 1,
    }
    assert half == drawn(studied, max_images=14)
    assert half.content_ids != drawn(studied, max_images=14, seed=1).content_ids


def test_a_column_that_is_not_there_is_refused(studied: Path) -> None:
    with pytest.raises(UsageError, match="label 'period': no such column"):
        drawn(studied, of_column="period", top_values=3)


def test_too_few_are_refused(studied: Path) -> None:
    with pytest.raises(UsageError, match="too few images to study by 'genre': 0 left"):
        drawn(studied, min_images=50)
