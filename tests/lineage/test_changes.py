"""Kinds of change on small clusterings worked by hand."""

import numpy as np
import pytest

from artcluster.lineage.matching import changes, overlap


def kinds(old: str, new: str) -> set[tuple[str, str, str]]:
    """Points as letters, a cluster a letter; "-" is noise."""
    found = overlap(_numbers(old), _numbers(new))
    return {
        (_letter(each.old_cluster), _letter(each.new_cluster), each.kind) for each in changes(found)
    }


def _numbers(letters: str) -> np.ndarray:
    return np.array([-1 if letter == "-" else ord(letter) for letter in letters])


def _letter(number: int | None) -> str:
    return "" if number is None else chr(number)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("aaabbb", "aaabbb", {("a", "a", "kept"), ("b", "b", "kept")}),
        # A few members change sides between clusters that stay.
        ("aaaabbbb", "aaabbbbb", {("a", "a", "kept"), ("b", "b", "kept")}),
        ("aaaaaa", "aaaaxx", {("a", "a", "kept"), ("a", "x", "split")}),
        # Into five: none is the old one any more, and it did not just die.
        ("aaaaa", "vwxyz", {("a", each, "split") for each in "vwxyz"}),
        ("aaaabb", "aaaaaa", {("a", "a", "kept"), ("b", "a", "merged")}),
        # Two that go into one that is neither.
        ("aabb", "xxxx", {("a", "x", "merged"), ("b", "x", "merged")}),
        # What was noise becomes a cluster; a cluster becomes noise.
        ("aa--", "aaxx", {("a", "a", "kept"), ("", "x", "born")}),
        ("aabb", "aa--", {("a", "a", "kept"), ("b", "", "died")}),
        # Scattered over three that stay: less than half in any.
        (
            "xxxaaabbbccc",
            "abcaaabbbccc",
            {*(("a", "a", "kept"), ("b", "b", "kept"), ("c", "c", "kept")), ("x", "", "died")},
        ),
        # A new one that draws a third from each: no parent.
        (
            "aaabbbccc",
            "aaxbbxccx",
            {*(("a", "a", "kept"), ("b", "b", "kept"), ("c", "c", "kept")), ("", "x", "born")},
        ),
    ],
)
def test_kinds(old: str, new: str, expected: set[tuple[str, str, str]]) -> None:
    assert kinds(old, new) == expected


def test_every_cluster_has_an_entry_and_counts_are_right() -> None:
    generator = np.random.default_rng(0)
    old_N, new_N = generator.integers(-1, 6, 200), generator.integers(3, 12, 200)
    found = overlap(old_N, new_N, new_clusters=np.array([40]))
    listed = changes(found)
    assert {each.old_cluster for each in listed} >= set(range(6))
    assert {each.new_cluster for each in listed} >= {*range(3, 12), 40}
    for each in listed:
        if each.old_cluster is not None:
            assert each.old_size == (old_N == each.old_cluster).sum()
        if each.new_cluster is not None:
            assert each.new_size == (new_N == each.new_cluster).sum()
        if each.kind in ("kept", "split", "merged"):
            both = (old_N == each.old_cluster) & (new_N == each.new_cluster)
            assert each.overlap == both.sum()
