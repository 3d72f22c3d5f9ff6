"""DBSCAN as a model: scikit-learn's groups, a rule that places later points alike, and its eps."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.cluster import DBSCAN

from artcluster.clustering.dbscan import DbscanPredictor, dbscan, knee_distance
from artcluster.clustering.model.fit import fit_model
from artcluster.clustering.model.model import ClusterModel
from artcluster.clustering.model.space import ModelSpace


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(2, 40), st.just(2)), elements=st.integers(0, 12)),
    st.sampled_from([0.5, 1.0, 2.5]),
    st.integers(2, 5),
)
@settings(max_examples=60)
def test_groups_are_scikit_learns_but_for_border_points(
    x_ND: np.ndarray, eps: float, least: int
) -> None:
    theirs = DBSCAN(eps=eps, min_samples=least).fit(x_ND)
    found = dbscan(x_ND, eps=eps, min_samples=least)
    if found is None:
        assert (theirs.labels_ == -1).all()
        return
    core = theirs.core_sample_indices_
    assert (found.labels_N[core] == theirs.labels_[core]).all()
    assert ((found.labels_N == -1) == (theirs.labels_ == -1)).all()
    # A border point is in the cluster of its nearest core point.
    for point, label in zip(x_ND, found.labels_N, strict=True):
        distance_P = np.linalg.norm(x_ND[core] - point, axis=1)
        if label >= 0:
            near = theirs.labels_[core][distance_P <= distance_P.min() + 1e-6]
            assert label in near
    means = [x_ND[found.labels_N == row].mean(0) for row in range(len(found.centroids_KD))]
    assert np.allclose(found.centroids_KD, means, atol=1e-4)


def test_a_saved_model_keeps_groups_of_any_shape_and_places_later_points() -> None:
    angle = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    ring = 10 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    middle = np.random.default_rng(0).normal(0, 0.3, (20, 2))
    x_ND = np.concatenate([ring, middle, [[30.0, 30.0]]]).astype(np.float32)
    found = dbscan(x_ND, eps=1.2, min_samples=3)
    assert found is not None
    model = fit_model(
        x_ND,
        method="faces-dbscan",
        embedder_id="e",
        space=ModelSpace(2),
        centroids_KD=found.centroids_KD,
        rule=found.rule,
    )
    again = ClusterModel.from_files(model.to_files())
    assert isinstance(again.rule, DbscanPredictor)
    assert again.rule.eps == 1.2
    placed = again.predict(x_ND)
    assert placed.cluster.tolist() == [0] * 80 + [1] * 20 + [-1]
    # The ring's mean is in the middle: nearest centroids would not do.
    later = again.predict(np.array([[10.5, 0.0], [0.2, 0.1], [5.0, 0.0]], np.float32))
    assert later.cluster.tolist() == [0, 1, -1]
    assert later.confidence[2] == 0


def test_nothing_dense_is_no_result() -> None:
    x_ND = np.eye(4, dtype=np.float32) * 100
    assert dbscan(x_ND, eps=1, min_samples=2) is None


def test_the_knee_parts_near_ones_from_the_rest() -> None:
    generator = np.random.default_rng(1)
    centres = generator.normal(size=(12, 16)) * 5
    near = np.repeat(centres, 10, axis=0) + generator.normal(size=(120, 16)) * 0.05
    x_ND = np.concatenate([near, generator.normal(size=(30, 16)) * 20]).astype(np.float32)
    inner = np.linalg.norm(near[:, None] - near[None], axis=2)
    knee = knee_distance(x_ND, 1)
    assert np.sort(inner, axis=1)[:, 1].max() * 0.99 <= knee < 10


def test_a_point_at_eps_is_reached() -> None:
    rule = DbscanPredictor(torch.zeros(1, 3), torch.tensor([0]), 0.5)
    points = torch.tensor([[0.5, 0, 0], [0.5001, 0, 0]])
    assert rule(points).tolist() == [0, -1]
