import math
from functools import partial

import pytest

from artcluster.clustering.guard import PartitionQuality, guard

judge = partial(guard, silhouette_margin=0.05)
SEEDS = PartitionQuality(sizes=(50, 30, 20), silhouette=0.30)


def test_a_sound_refinement_is_kept() -> None:
    verdict = judge(SEEDS, PartitionQuality((45, 33, 22), 0.28))
    assert verdict.keep_refinement
    assert verdict.reasons == ()


def test_an_empty_cluster_is_named() -> None:
    verdict = judge(SEEDS, PartitionQuality((70, 30, 0), 0.5))
    assert not verdict.keep_refinement
    assert verdict.reasons == ("cluster 2 lost all of its 20 points",)


def test_a_swallowed_cluster_is_named() -> None:
    verdict = judge(SEEDS, PartitionQuality((69, 30, 1), 0.5))
    assert verdict.reasons == ("cluster 2 was swallowed: 1 of 20 points remain",)
    assert judge(SEEDS, PartitionQuality((68, 30, 2), 0.5)).keep_refinement
    assert judge(SEEDS, PartitionQuality((69, 30, 1), 0.5), swallowed_share=0.01).keep_refinement


def test_collapse_into_one_cluster() -> None:
    verdict = judge(SEEDS, PartitionQuality((100, 0, 0), math.nan))
    assert not verdict.keep_refinement
    assert verdict.reasons == ("all points fell into one cluster",)


def test_the_margin_of_the_silhouette() -> None:
    assert judge(SEEDS, PartitionQuality((50, 30, 20), 0.25)).keep_refinement
    verdict = judge(SEEDS, PartitionQuality((50, 30, 20), 0.24))
    assert verdict.reasons == (
        "the silhouette in the embedder's space fell from 0.300 to 0.240, by more than 0.05",
    )
    assert judge(SEEDS, PartitionQuality((50, 30, 20), 0.24), silhouette_margin=0.1).keep_refinement


def test_a_silhouette_that_is_lost() -> None:
    assert not judge(SEEDS, PartitionQuality((50, 30, 20), math.nan)).keep_refinement
    single = PartitionQuality((3, 0), math.nan)
    assert judge(single, single).keep_refinement


def test_clusters_that_the_seeds_left_empty_are_no_loss() -> None:
    seeds = PartitionQuality((50, 50, 0), 0.3)
    assert judge(seeds, PartitionQuality((60, 40, 0), 0.3)).keep_refinement


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="same number of clusters"):
        judge(SEEDS, PartitionQuality((50, 50), 0.3))
    with pytest.raises(ValueError, match="silhouette_margin"):
        judge(SEEDS, SEEDS, silhouette_margin=-0.1)
    with pytest.raises(ValueError, match="swallowed_share"):
        judge(SEEDS, SEEDS, swallowed_share=2.0)
