import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from artcluster.clustering.dec import changed_labels, converged, label_change


def test_hand_worked() -> None:
    before, after = torch.tensor([0, 0, 1, 2, 2]), torch.tensor([0, 1, 1, 2, 0])
    assert changed_labels(before, after).item() == 2
    assert label_change(before, after) == 0.4


@given(labels=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=30))
def test_shards_merged_equal_the_whole(labels: list[tuple[int, int]]) -> None:
    before = torch.tensor([pair[0] for pair in labels])
    after = torch.tensor([pair[1] for pair in labels])
    parts = zip(before.tensor_split(3), after.tensor_split(3), strict=True)
    changed = sum(changed_labels(*part).item() for part in parts)
    assert changed == changed_labels(before, after).item()
    assert label_change(before, after) == (changed / len(labels) if labels else 0.0)
    assert label_change(before, before) == 0.0


def test_below_the_tolerance_only() -> None:
    assert converged(0.00099, 0.001)
    assert not converged(0.001, 0.001)
    assert not converged(0.0, 0.0)


def test_labels_of_other_points_are_refused() -> None:
    with pytest.raises(ValueError, match="same points"):
        changed_labels(torch.zeros(3), torch.zeros(4))
