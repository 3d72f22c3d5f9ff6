import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artcluster.training.batches import (
    VIRTUAL_SHARDS,
    BatchPlan,
    cut_into_shards,
    owned_shards,
    shard_bounds,
)


@given(rows=st.integers(1, 3000), shards=st.integers(1, 100))
def test_shards_cover_the_rows_evenly(rows: int, shards: int) -> None:
    sizes = np.diff(shard_bounds(rows, shards))
    assert sizes.sum() == rows
    assert sizes.min() >= 1
    assert sizes.max() - sizes.min() <= 1
    assert len(sizes) == min(rows, shards)


def test_cutting_keeps_the_order_and_copies_nothing() -> None:
    rows = np.arange(20).reshape(10, 2)
    parts = cut_into_shards(rows, 3)
    assert np.array_equal(np.concatenate(parts), rows)
    assert all(np.shares_memory(part, rows) for part in parts)


def test_nothing_cannot_be_cut() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        shard_bounds(0)


shard_rows = st.lists(st.integers(0, 40), min_size=1, max_size=12).filter(sum)


def global_rows(plan: BatchPlan, sizes: list[int], owned: list[int], epoch: int) -> list[set[int]]:
    """The rows of each batch that a rank owns, numbered over all shards."""
    starts = np.concatenate([[0], np.cumsum(sizes)])
    numbers = np.concatenate(
        [np.arange(starts[shard], starts[shard + 1]) for shard in sorted(owned)] or [np.empty(0)]
    )
    order = plan.order(epoch)
    return [set(numbers[order[slice(*plan.span(batch))]].tolist()) for batch in range(plan.batches)]


@given(sizes=shard_rows, batch_size=st.integers(1, 64), seed=st.integers(0, 9))
def test_an_epoch_holds_each_row_once_in_full_batches(
    sizes: list[int], batch_size: int, seed: int
) -> None:
    owned = list(range(len(sizes)))
    plan = BatchPlan(sizes, owned, batch_size, seed)
    batches = global_rows(plan, sizes, owned, epoch=3)
    assert sorted(row for batch in batches for row in batch) == list(range(sum(sizes)))
    assert [len(batch) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    assert [len(batch) for batch in batches] == [
        plan.batch_rows(number) for number in range(plan.batches)
    ]


@given(sizes=shard_rows, batch_size=st.integers(1, 64), world=st.integers(1, 5))
def test_ranks_together_draw_what_one_draws(sizes: list[int], batch_size: int, world: int) -> None:
    everything = list(range(len(sizes)))
    whole = BatchPlan(sizes, everything, batch_size, 1)
    wanted = global_rows(whole, sizes, everything, epoch=2)
    drawn: list[set[int]] = [set() for _ in wanted]
    for rank in range(world):
        owned = list(owned_shards(len(sizes), rank, world))
        plan = BatchPlan(sizes, owned, batch_size, 1)
        assert plan.batches == whole.batches
        for batch, rows in enumerate(global_rows(plan, sizes, owned, epoch=2)):
            assert not drawn[batch] & rows
            drawn[batch] |= rows
    assert drawn == wanted


def test_every_batch_draws_from_every_shard_in_proportion() -> None:
    sizes = [100, 100, 200]
    plan = BatchPlan(sizes, [0, 1, 2], 40, 0)
    for rows in global_rows(plan, sizes, [0, 1, 2], epoch=0):
        counts = np.bincount(np.digitize(sorted(rows), [100, 200]), minlength=3)
        assert np.abs(counts - [10, 10, 20]).max() <= 1


def test_epochs_and_seeds_differ_and_repeat() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return BatchPlan([50, 50], [0, 1], 10, seed).order(epoch).tolist()

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)


def test_a_batch_larger_than_the_data_is_all_of_it() -> None:
    plan = BatchPlan([1, 1, 1], [0, 1, 2], 256, 0)
    assert plan.batches == 1
    assert plan.span(0) == (0, 3)


def test_a_rank_without_shards_draws_nothing() -> None:
    plan = BatchPlan([5, 5], [], 4, 0)
    assert plan.order(0).tolist() == []
    assert {plan.span(batch) for batch in range(plan.batches)} == {(0, 0)}


def test_no_rows_and_no_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="0 rows"):
        BatchPlan([0, 0], [0, 1], 4, 0)
    with pytest.raises(ValueError, match="batch_size 0"):
        BatchPlan([4], [0], 0, 0)


def test_the_default_number_of_shards_is_fixed() -> None:
    assert VIRTUAL_SHARDS == 64
