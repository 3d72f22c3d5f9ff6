import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artcluster.metrics import near_duplicates as components
from artcluster.metrics.near_duplicates import ConnectedComponents, hamming, hash_groups


def by_comparing_all(hashes, bits):
    found = ConnectedComponents(len(hashes))
    for a, first in enumerate(hashes):
        for b, second in enumerate(hashes[:a]):
            if bin(int(first) ^ int(second)).count("1") <= bits:
                found.join(np.array([a]), np.array([b]))
    return found.groups()


near = st.integers(0, 2**64 - 1).flatmap(
    lambda value: st.lists(st.integers(0, 63), max_size=9).map(
        lambda flips: [value, value ^ sum({1 << bit for bit in flips})]
    )
)


@given(st.lists(near, max_size=12), st.integers(0, 12))
def test_groups_are_those_of_comparing_all_with_all(pairs, bits):
    hashes = np.array([value for pair in pairs for value in pair], np.uint64)
    found = hash_groups(hashes, bits)
    assert [rows.tolist() for rows in found] == [
        rows.tolist() for rows in by_comparing_all(hashes, bits)
    ]


def test_edges_joined_in_blocks_give_the_same(monkeypatch):
    monkeypatch.setattr(components, "_EDGES", 2)
    found = ConnectedComponents(7)
    for a, b in [(0, 1), (5, 6), (1, 2), (2, 0), (3, 5)]:
        found.join(np.array([a]), np.array([b]))
    assert [rows.tolist() for rows in found.groups()] == [[0, 1, 2], [3, 5, 6]]


def test_distances_of_bits():
    values = np.array([0, 1, 2**64 - 1], np.uint64)
    assert hamming(values[:, None], values[None]).tolist() == [[0, 1, 64], [1, 0, 63], [64, 63, 0]]


def test_too_many_bits_are_refused():
    with pytest.raises(ValueError, match="expected 0 to 31"):
        hash_groups(np.zeros(2, np.uint64), 32)
