"""k-means against scikit-learn and a naive loop; odd data; the same bits for a seed."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from artcluster.clustering.chunks import ChunkPool
from artcluster.clustering.kmeans.kmeans import kmeans, sample_indices
from artcluster.clustering.kmeans.lloyd import lloyd


def blobs(n: int, d: int, k: int, spread: float = 3.0, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(k, d)) * spread
    noise = generator.normal(size=(n, d))
    return (centres[generator.integers(k, size=n)] + noise).astype(np.float32)


def naive_lloyd(x: np.ndarray, centroids: np.ndarray, iterations: int) -> np.ndarray:
    """Plain Lloyd in float64, for data on which no cluster empties; returns labels."""
    for _ in range(iterations):
        labels = np.square(x[:, None] - centroids[None]).sum(2).argmin(1)
        centroids = np.stack([x[labels == j].mean(0) for j in range(len(centroids))])
    return np.square(x[:, None] - centroids[None]).sum(2).argmin(1)


@pytest.mark.parametrize(
    ("n", "d", "k", "spread"),
    [(6000, 10, 10, 1.0), (6000, 10, 10, 3.0), (3000, 96, 8, 0.3), (1500, 4, 60, 2.0)],
)
def test_reaches_the_inertia_of_sklearn(n: int, d: int, k: int, spread: float) -> None:
    x = blobs(n, d, k, spread)
    ours = kmeans(x, k, restarts=10, threads=1, gpu=False)
    theirs = KMeans(k, n_init=10, random_state=0).fit(x)
    assert ours.inertia <= theirs.inertia_ * (1.02 if k > 20 else 1.001)
    assert ours.non_empty == k


@pytest.mark.parametrize(("d", "spread"), [(3, 0.7), (12, 0.3), (80, 0.1)])
@pytest.mark.parametrize("iterations", [1, 2, 5, 40])
def test_labels_are_those_of_plain_lloyd(d: int, spread: float, iterations: int) -> None:
    # Overlapping clusters converge slowly: points are passed over in most of the 40 iterations.
    x = blobs(5000, d, 12, spread)
    x -= x.mean(0)
    seeds = x[:7].copy()
    tensor = torch.from_numpy(x)
    with ChunkPool(1) as pool:
        found = lloyd(
            tensor,
            tensor.square().sum(1),
            torch.from_numpy(seeds),
            tolerance=0.0,
            max_iter=iterations,
            pool=pool,
            chunk=700,
        )
    expected = naive_lloyd(x.astype(np.float64), seeds.astype(np.float64), iterations)
    assert (found.labels_N.numpy() != expected).mean() < 0.001


def test_hand_worked() -> None:
    found = kmeans(np.array([[0.0], [1.0], [10.0], [11.0], [12.0]]), 2, gpu=False)
    order = np.argsort(found.centroids_KD[:, 0])
    assert found.centroids_KD[order, 0].tolist() == [0.5, 11.0]
    assert found.inertia == 2.5
    assert found.labels_N.dtype == np.int32
    assert order[0] == found.labels_N[0] == found.labels_N[1]


def test_labels_and_inertia_belong_to_the_centroids() -> None:
    x = blobs(2000, 6, 5) + np.float32(100)
    found = kmeans(x, 5, restarts=3, max_iter=2, gpu=False)
    squared = np.square(x[:, None].astype(np.float64) - found.centroids_KD[None]).sum(2)
    assert (found.labels_N == squared.argmin(1)).mean() > 0.999
    assert found.inertia == pytest.approx(squared.min(1).sum(), rel=1e-5)
    assert found.inertia == min(found.restart_inertias)
    assert len(found.restart_inertias) == 3


@pytest.mark.parametrize("d", [8, 400])
def test_same_seed_same_bits_for_any_number_of_threads(
    d: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = blobs(3000, d, 6, 0.5)
    one = kmeans(x, 6, restarts=4, seed=5, threads=1, gpu=False)
    for threads, small in ((1, 1 << 22), (3, 1 << 22), (2, 0)):
        # Restarts side by side, or one after the other with chunks side by side.
        monkeypatch.setattr("artcluster.clustering.kmeans.kmeans._SMALL", small)
        again = kmeans(x, 6, restarts=4, seed=5, threads=threads, gpu=False)
        assert again.centroids_KD.tobytes() == one.centroids_KD.tobytes()
        assert again.labels_N.tobytes() == one.labels_N.tobytes()
        assert again.restart_inertias == one.restart_inertias
    other = kmeans(x, 6, restarts=4, seed=6, threads=1, gpu=False)
    assert other.restart_inertias != one.restart_inertias


def test_torch_threads_are_as_before() -> None:
    before = torch.get_num_threads()
    kmeans(blobs(500, 4, 3), 3, restarts=2, threads=2, gpu=False)
    with pytest.raises(ValueError):
        kmeans(blobs(5, 4, 3), 6, gpu=False)
    assert torch.get_num_threads() == before


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=30),
    st.integers(1, 8),
    st.integers(0, 3),
)
def test_points_on_a_grid(points: list[tuple[int, int]], k: int, seed: int) -> None:
    x = np.array(points, dtype=np.float32)
    k = min(k, len(x))
    found = kmeans(x, k, restarts=3, seed=seed, gpu=False)
    distinct = len(np.unique(x, axis=0))
    assert found.non_empty == min(k, distinct)
    assert np.isfinite(found.centroids_KD).all()
    if distinct <= k:
        assert found.inertia == pytest.approx(0, abs=1e-6)
    squared = np.square(x[:, None] - found.centroids_KD[None]).sum(2)
    assert squared[np.arange(len(x)), found.labels_N] == pytest.approx(squared.min(1), abs=1e-5)


@pytest.mark.parametrize("value", [0.0, 7.25, -1e6])
def test_constant_data(value: float) -> None:
    found = kmeans(np.full((50, 3), value, np.float32), 4, restarts=2, gpu=False)
    assert found.non_empty == 1
    assert found.inertia == 0
    assert (found.centroids_KD == np.float32(value)).all()


def test_an_empty_cluster_takes_the_farthest_point() -> None:
    x = np.array([[0.0], [1.0], [10.0], [11.0], [50.0]], dtype=np.float32)
    seeds = np.array([[0.0], [10.0], [1000.0]], dtype=np.float32)  # the last one wins no point
    found = kmeans(x, 3, init_KD=seeds, gpu=False)
    assert sorted(found.centroids_KD[:, 0].tolist()) == pytest.approx([0.5, 10.5, 50.0], abs=1e-4)


def test_centroids_to_start_from_keep_their_numbers() -> None:
    x = blobs(1000, 5, 4)
    first = kmeans(x, 4, restarts=3, gpu=False)
    again = kmeans(x, 4, init_KD=first.centroids_KD[::-1], gpu=False)
    assert len(again.restart_inertias) == 1
    assert np.allclose(again.centroids_KD, first.centroids_KD[::-1], atol=1e-2)


def test_data_far_from_the_origin_are_clustered_as_near_it() -> None:
    x = blobs(2000, 6, 5, spread=5.0)
    near = kmeans(x, 5, restarts=5, gpu=False)
    far = kmeans(x + np.float32(4096), 5, restarts=5, gpu=False)
    assert far.inertia == pytest.approx(near.inertia, rel=1e-3)


def test_as_many_clusters_as_points() -> None:
    x = blobs(12, 3, 3)
    found = kmeans(x, 12, restarts=2, gpu=False)
    assert sorted(found.labels_N.tolist()) == list(range(12))
    assert found.inertia == pytest.approx(0, abs=1e-6)


def test_seeds_of_many_points_are_drawn_from_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artcluster.clustering.kmeans.kmeans._SEED_ROWS", 600)
    x = blobs(5000, 6, 8, spread=10.0)
    found = kmeans(x, 8, restarts=5, gpu=False)
    assert found.inertia <= KMeans(8, n_init=5, random_state=0).fit(x).inertia_ * 1.001
    assert len(found.labels_N) == 5000


@pytest.mark.parametrize(
    ("points", "k", "options", "words"),
    [
        (np.ones((3, 2)), 4, {}, "k is 4, but there are only 3 points: ask for k <= 3"),
        (np.ones((3, 2)), 0, {}, "k must be at least 1"),
        (np.ones(3), 1, {}, "must be a matrix"),
        (np.ones((0, 2)), 1, {}, "must be a matrix"),
        (np.array([[1.0], [np.nan], [np.inf]]), 1, {}, "2 rows .* first of them row 1"),
        (np.ones((3, 2)), 1, {"restarts": 0}, "restarts and max_iter must be >= 1"),
        (np.ones((3, 2)), 2, {"init_KD": np.ones((2, 3))}, r"must have shape \(2, 2\)"),
        (np.ones((3, 2)), 2, {"gpu": "yes"}, "True, False or 'auto'"),
    ],
)
def test_wrong_use(points: np.ndarray, k: int, options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        kmeans(points, k, **options)  # type: ignore[arg-type]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="torch finds no GPU"):
        kmeans(np.ones((3, 2)), 1, gpu=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_gpu_agrees_with_the_cpu() -> None:
    x = blobs(20_000, 32, 10)
    cpu, gpu = (kmeans(x, 10, restarts=5, gpu=use) for use in (False, True))
    assert gpu.inertia == pytest.approx(cpu.inertia, rel=1e-3)
    again = kmeans(x, 10, restarts=5, gpu=True)
    assert again.centroids_KD.tobytes() == gpu.centroids_KD.tobytes()


@given(st.integers(0, 500), st.integers(1, 500), st.integers(0, 9))
def test_sampled_indices(n: int, limit: int, seed: int) -> None:
    rows = sample_indices(n, limit, seed)
    assert len(rows) == min(n, limit)
    assert (np.diff(rows) > 0).all()
    assert not len(rows) or (rows[0] >= 0 and rows[-1] < n)
    assert (rows == sample_indices(n, limit, seed)).all()


def test_samples_are_uniform_and_differ_by_seed() -> None:
    hits = sum(np.bincount(sample_indices(20, 5, seed), minlength=20) for seed in range(800))
    assert hits.min() > 140  # 200 expected, standard deviation 12
    assert hits.max() < 260
    with pytest.raises(ValueError, match="limit must be at least 1"):
        sample_indices(5, 0, seed=0)
