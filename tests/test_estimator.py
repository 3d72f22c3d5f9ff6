"""The estimator: scikit-learn's own checks, and the same clusters as the methods give."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from artcluster import Clusterer
from artcluster.clustering.kmeans.kmeans import kmeans

SMALL = {"pretrain.max_steps": 20, "dec.max_iterations": 20, "dec.hidden": [16], "dec.code_dim": 3}


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return load_digits().data[:200].astype(np.float32)


ONE_CLUSTER = dict.fromkeys(
    [
        "check_dont_overwrite_parameters",
        "check_methods_subset_invariance",
        "check_fit2d_1sample",
        "check_fit2d_1feature",
        "check_fit2d_predict1d",
    ],
    "the check asks for one cluster, and the methods take two or more",
)


@parametrize_with_checks(
    [Clusterer(n_clusters=3, settings={"restarts": 2})],
    expected_failed_checks=lambda _: ONE_CLUSTER,
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_kmeans_is_that_of_the_commands(digits):
    found = Clusterer(n_clusters=5, random_state=3).fit(digits)
    seed = int(np.random.RandomState(3).randint(2**31 - 1))
    expected = kmeans(digits, 5, seed=seed)
    np.testing.assert_array_equal(found.cluster_centers_, expected.centroids_KD)
    np.testing.assert_array_equal(found.labels_, expected.labels_N)


@pytest.mark.parametrize("method", ["kmeans", "delius"])
def test_each_method_fits_predicts_and_is_seeded(digits, method):
    one = Clusterer(n_clusters=4, method=method, random_state=0, settings=SMALL)
    labels = one.fit_predict(digits)
    np.testing.assert_array_equal(labels, one.predict(digits))
    np.testing.assert_array_equal(labels, clone(one).fit_predict(digits))
    distances = one.transform(digits)
    assert distances.shape == (200, 4)
    np.testing.assert_array_equal(distances.argmin(1), labels)
    assert bool(one.verdict_) == (method == "delius")
    assert one.cluster_centers_.shape == (4, 64 if method == "kmeans" else 3)
    again = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(again.predict(digits[:9]), labels[:9])
    assert 0 < one.assign(digits).outlier.mean() < 0.1


def test_a_vectors_result_does_not_depend_on_its_company(digits):
    fitted = Clusterer(n_clusters=4, random_state=0).fit(digits)
    for function in (fitted.predict, fitted.transform):
        alone = np.concatenate([function(digits[row : row + 1]) for row in range(20)])
        np.testing.assert_array_equal(alone, function(digits)[:20])


def test_it_ends_a_pipeline(digits):
    steps = make_pipeline(StandardScaler(), Clusterer(n_clusters=3, random_state=0))
    assert set(steps.fit_predict(digits)) == {0, 1, 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_clusters": 1}, "cluster.k"),
        ({"method": "magic"}, "cluster.method"),
        ({"settings": {"restart": 3}}, "no such setting"),
        ({"n_clusters": 500}, "n_samples=200 should be >= n_clusters=500"),
        (
            {"method": "hdbscan", "settings": {"hdbscan.min_cluster_size": 300}},
            r"cluster\.hdbscan\.min_cluster_size is 300, but there are only 200",
        ),
    ],
)
def test_wrong_arguments_are_told(digits, arguments, message):
    with pytest.raises(ValueError, match=message):
        Clusterer(**arguments).fit(digits)


@pytest.mark.parametrize("method", ["consensus", "hierarchy", "hdbscan"])
@pytest.mark.parametrize(("value", "words"), [(3.0, "point one way"), (1e30, "overflow")])
def test_vectors_that_cannot_be_told_apart(method, value, words):
    alike = np.full((20, 4), value, np.float32)
    with pytest.raises(ValueError, match=f"nothing to cluster: .*{words}"):
        Clusterer(n_clusters=2, method=method).fit(alike)


def test_the_package_itself_imports_no_torch():
    code = "import sys, artcluster; assert 'torch' not in sys.modules; artcluster.nothing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "has no attribute 'nothing'" in done.stderr
