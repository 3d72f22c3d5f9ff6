"""Prototypes: the nearest decides; a tree may be cut again."""

import numpy as np
import torch

from artcluster.clustering.hierarchy import Hierarchy, cut, make_cells, ward_hierarchy
from artcluster.clustering.model.fit import fit_model
from artcluster.clustering.model.model import ClusterModel
from artcluster.clustering.model.rules import Prototypes
from artcluster.clustering.model.space import ModelSpace


def points() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)


def model(tree: bool = True) -> tuple[np.ndarray, Hierarchy, ClusterModel]:
    x = points()
    found = ward_hierarchy(make_cells(x, 100, 0))
    rows = cut(found.tree, 4)
    rule = Prototypes(
        torch.from_numpy(found.means_LD), torch.from_numpy(rows), found.tree if tree else None
    )
    means = np.stack([x[rows == row].mean(0) for row in range(4)])
    fitted = fit_model(
        x, method="m", embedder_id="e", space=ModelSpace(5), centroids_KD=means, rule=rule
    )
    return x, found, fitted


def test_the_nearest_prototype_decides() -> None:
    x, found, fitted = model()
    np.testing.assert_array_equal(fitted.predict(x).cluster, cut(found.tree, 4))
    later = np.random.default_rng(1).normal(size=(40, 5)).astype(np.float32)
    nearest = ((later[:, None] - x[None]) ** 2).sum(2).argmin(1)
    now = fitted.predict(later)
    np.testing.assert_array_equal(now.cluster, cut(found.tree, 4)[nearest])
    centroids = fitted.centroids_KD
    np.testing.assert_allclose(
        now.distance, np.linalg.norm(later - centroids[now.cluster], axis=1), rtol=1e-5
    )
    assert (now.second_cluster != now.cluster).all()
    assert (now.margin >= 0).all()


def test_files_keep_the_tree() -> None:
    x, found, fitted = model()
    loaded = ClusterModel.from_files(fitted.to_files())
    np.testing.assert_array_equal(loaded.predict(x).cluster, fitted.predict(x).cluster)
    assert isinstance(loaded.rule, Prototypes)
    assert loaded.rule.tree is not None
    np.testing.assert_array_equal(cut(loaded.rule.tree, 9), cut(found.tree, 9))
    again = Hierarchy.from_arrays(found.arrays())
    np.testing.assert_array_equal(cut(again.tree, 7), cut(found.tree, 7))


def test_without_a_tree_there_is_one_k() -> None:
    _, _, fitted = model(tree=False)
    loaded = ClusterModel.from_files(fitted.to_files())
    assert isinstance(loaded.rule, Prototypes)
    assert loaded.rule.tree is None
