"""Maps keep neighbours together, repeat themselves, and take new points in without moving."""

from dataclasses import replace

import numpy as np
import pytest

from artcluster.config import MapSettings, from_settings
from artcluster.errors import UsageError
from artcluster.projection import LAYOUTS, make_layout
from artcluster.projection.layout import Components, LayoutSettings, stratified_sample

PLAIN = from_settings(LayoutSettings, MapSettings())
QUICK = {
    "tsne": replace(PLAIN, perplexity=10, early_iterations=50, iterations=100),
    "umap": replace(PLAIN, neighbours=8, iterations=50),
}


def groups(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    group_N = np.arange(count) % 3
    centres = np.eye(3, 6) * 30
    return (centres[group_N] + generator.normal(size=(count, 6))).astype(np.float32), group_N


@pytest.mark.parametrize("method", LAYOUTS)
def test_groups_stay_together_and_new_points_join_them(method: str) -> None:
    x, group = groups(60)
    layout = make_layout(method, QUICK[method])
    y = layout.fit(x)
    assert y.shape == (60, 2)
    if method == "tsne":
        np.testing.assert_array_equal(y, make_layout(method, QUICK[method]).fit(x))
    nearest = np.linalg.norm(y[:, None] - y[None], axis=2)
    np.fill_diagonal(nearest, np.inf)
    assert (group[nearest.argmin(1)] == group).mean() > 0.95

    new, new_group = groups(15, seed=1)
    before = y.copy()
    placed = layout.placer(x, y)(new)
    np.testing.assert_array_equal(y, before)
    found = np.linalg.norm(placed[:, None] - y[None], axis=2).argmin(1)
    np.testing.assert_array_equal(group[found], new_group)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_tiny_archives_have_a_map(count: int) -> None:
    x, _ = groups(count)
    layout = make_layout("tsne", QUICK["tsne"])
    y = layout.fit(x)
    assert y.shape == (count, 2)
    assert np.isfinite(y).all()
    np.testing.assert_array_equal(layout.placer(x, y)(x), y)


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(UsageError, match="tsne"):
        make_layout("pca", PLAIN)


def test_a_sample_has_its_share_of_every_stratum() -> None:
    strata = np.array([0] * 900 + [1] * 99 + [2])
    rows = stratified_sample(strata, 100, seed=0)
    chosen = np.bincount(strata[rows], minlength=3)
    assert chosen.tolist() == [90, 10, 1]
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, stratified_sample(strata, 100, seed=0))
    np.testing.assert_array_equal(stratified_sample(strata, 1000, seed=0), np.arange(1000))


def test_components_keep_what_varies() -> None:
    generator = np.random.default_rng(0)
    x = np.zeros((50, 8), np.float32)
    x[:, 3] = generator.normal(size=50) * 10
    x[:, 5] = generator.normal(size=50)
    z = Components.fit(x, 2, seed=0)(x)
    assert z.shape == (50, 2)
    np.testing.assert_allclose(np.abs(z[:, 0]), np.abs(x[:, 3] - x[:, 3].mean()), atol=0.5)
    short = Components.fit(x, 8, seed=0)
    np.testing.assert_array_equal(short(x), x)
