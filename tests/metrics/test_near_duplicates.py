"""Near-duplicates against a naive search over all pairs."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from artcluster.metrics import near_duplicates as module
from artcluster.metrics.near_duplicates import near_duplicates


def naive(x: np.ndarray, distance: float) -> list[list[int]]:
    unit = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30)
    near = unit @ unit.T >= 1 - distance
    left, groups = set(range(len(x))), []
    while left:
        group, edge = set(), {min(left)}
        while edge:
            group |= edge
            edge = {int(j) for i in edge for j in np.flatnonzero(near[i])} - group
        left -= group
        if len(group) > 1:
            groups.append(sorted(group))
    return sorted(groups, key=lambda group: (-len(group), group[0]))


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 40), st.sampled_from([1, 7, 1 << 22]))
def test_groups_are_those_of_all_pairs(seed: int, count: int, block: int) -> None:
    x = np.random.default_rng(seed).integers(-2, 3, (count, 3)).astype(np.float32)
    before, module._BLOCK_VALUES = module._BLOCK_VALUES, block
    try:
        found = [rows.tolist() for rows in near_duplicates(x, 0.02)]
    finally:
        module._BLOCK_VALUES = before
    assert found == naive(x, 0.02)


def test_a_chain_is_one_group_and_nothing_is_none() -> None:
    angles = np.array([0.0, 0.3, 0.6, 2.0])
    x = np.stack([np.cos(angles), np.sin(angles)], 1)
    assert [rows.tolist() for rows in near_duplicates(x, 0.05)] == [[0, 1, 2]]
    assert near_duplicates(np.zeros((0, 4), np.float32), 0.05) == []
