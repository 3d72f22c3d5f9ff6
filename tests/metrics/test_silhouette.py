"""The silhouette against hand-worked values and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples as sklearn_samples

from artcluster.metrics.silhouette import silhouette, silhouette_samples


def blobs(n: int, d: int, k: int, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = generator.integers(k, size=n)
    centres = generator.normal(size=(k, d)) * 2
    return (centres[labels] + generator.normal(size=(n, d)) + offset).astype(np.float32), labels


def test_hand_worked() -> None:
    # Point 0: a = 1, b = (10 + 12) / 2 = 11; point 10: a = 2, b = (10 + 9) / 2 = 9.5.
    values = silhouette_samples(np.array([[0.0], [1.0], [10.0], [12.0]]), np.array([0, 0, 1, 1]))
    assert values == pytest.approx([10 / 11, 9 / 10, 7.5 / 9.5, 9.5 / 11.5], abs=1e-6)


@pytest.mark.parametrize("offset", [0.0, 50.0])
@pytest.mark.parametrize(("n", "d", "k"), [(1500, 10, 10), (700, 300, 3), (400, 2, 60)])
def test_equals_sklearn(n: int, d: int, k: int, offset: float) -> None:
    x, labels = blobs(n, d, k, offset)
    ours = silhouette_samples(x, labels)
    reference = sklearn_samples(x.astype(np.float64), labels)
    assert np.abs(ours - reference).max() < 1e-5
    assert abs(ours.mean() - reference.mean()) < 1e-6


def test_a_cluster_of_one_counts_as_zero() -> None:
    x = np.array([[0.0], [1.0], [50.0]])
    assert silhouette_samples(x, np.array([0, 0, 1]))[2] == 0.0


def test_points_in_one_place_count_as_zero() -> None:
    assert silhouette_samples(np.ones((6, 3)), np.array([0, 0, 0, 1, 1, 1])).tolist() == [0.0] * 6


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    x, labels = blobs(333, 5, 4)
    whole = silhouette_samples(x, labels)
    monkeypatch.setattr("artcluster.metrics.silhouette._DISTANCES_AT_ONCE", 333 * 7)
    assert np.abs(silhouette_samples(x, labels) - whole).max() < 1e-6


def test_noise_takes_no_part() -> None:
    x, labels = blobs(300, 4, 3)
    noisy = np.concatenate([x, np.full((20, 4), 99.0, np.float32)])
    assert silhouette(noisy, np.concatenate([labels, np.full(20, -1)])) == silhouette(x, labels)


def test_it_is_the_mean_of_the_samples() -> None:
    x, labels = blobs(300, 4, 3)
    assert silhouette(x, labels * 5) == pytest.approx(silhouette_samples(x, labels).mean())


def test_a_sample_is_near_the_whole() -> None:
    x, labels = blobs(4000, 4, 3)
    sample = silhouette(x, labels, limit=1000, seed=3)
    assert sample == pytest.approx(silhouette(x, labels), abs=0.03)
    assert silhouette(x, labels, limit=1000, seed=3) == sample
    assert silhouette(x, labels, limit=1000, seed=4) != sample


def test_fewer_than_two_clusters() -> None:
    assert np.isnan(silhouette(np.ones((3, 2)), np.zeros(3, dtype=int)))
    assert np.isnan(silhouette(np.ones((3, 2)), np.full(3, -1)))
    with pytest.raises(ValueError, match="at least two clusters"):
        silhouette_samples(np.ones((3, 2)), np.zeros(3, dtype=int))


def test_wrong_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(3, 2\), \(2,\)"):
        silhouette_samples(np.ones((3, 2)), np.array([0, 1]))
