"""The model: fitted thresholds, the same result in any company, files that load bit for bit."""

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy
import torch

from artcluster.clustering.encoder import DenseAutoencoder
from artcluster.clustering.kmeans.kmeans import kmeans
from artcluster.clustering.model.fit import fit_model
from artcluster.clustering.model.model import ARRAYS_FILE, DESCRIPTION_FILE, ClusterModel
from artcluster.clustering.model.space import (
    Dense,
    ModelSpace,
    Standardise,
    UnitLength,
    dense_space,
)
from artcluster.schema import ASSIGNMENTS

DIM = 24


def vectors(n: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(5, DIM)) * 3
    noise = generator.normal(size=(n, DIM))
    return (centres[generator.integers(5, size=n)] + noise).astype(np.float32)


def layers() -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    widths = [(DIM, 40), (40, 33), (33, 6)]
    return [
        (
            torch.randn(gives, takes, generator=generator) / takes**0.5,
            torch.randn(gives, generator=generator),
        )
        for takes, gives in widths
    ]


SPACES = {
    "identity": ModelSpace(DIM),
    "unit-length": ModelSpace(DIM, (UnitLength(),)),
    "standardise": ModelSpace(
        DIM, (Standardise(torch.arange(DIM) / 9, torch.linspace(0.1, 2, DIM)),)
    ),
    "dense": dense_space(layers(), input_scale=0.3, unit_length=True),
}


@pytest.fixture(params=SPACES)
def model(request: pytest.FixtureRequest) -> ClusterModel:
    return fitted(SPACES[request.param])


def fitted(space: ModelSpace, n: int = 2000, k: int = 5) -> ClusterModel:
    x = vectors(n)
    z = space(torch.from_numpy(x)).numpy()
    centroids = kmeans(z, k, restarts=3, threads=1, gpu=False).centroids_KD
    return fit_model(x, method="kmeans", embedder_id="e-1", space=space, centroids_KD=centroids)


def test_columns_are_those_of_the_table(model: ClusterModel) -> None:
    columns = model.predict(vectors(10)).columns()
    keys = {"model_id", "content_id", "region"}
    assert set(columns) == set(ASSIGNMENTS.schema.names) - keys
    for name, column in columns.items():
        kind = ASSIGNMENTS.schema.field(name).type.to_pandas_dtype()
        assert column.dtype == kind, name
        assert column.shape == (10,)


def test_files_give_back_the_model_bit_for_bit(model: ClusterModel) -> None:
    files = model.to_files()
    loaded = ClusterModel.from_files(files)
    assert loaded.to_files() == files
    assert (loaded.method, loaded.embedder_id, loaded.k) == ("kmeans", "e-1", 5)
    assert loaded.fitted_on == model.fitted_on
    x = vectors(300, seed=1)
    before, after = model.predict(x).columns(), loaded.predict(x).columns()
    for name, column in before.items():
        assert column.tobytes() == after[name].tobytes(), name


@pytest.mark.parametrize("rows", [1, 7, 255, 256, 300])
def test_a_result_is_the_same_in_any_company(model: ClusterModel, rows: int) -> None:
    x = vectors(601, seed=2)
    whole = model.predict(x).columns()
    space = model.transform(x)
    for start in range(0, 601, rows) if rows > 1 else (0, 17, 600):
        part = slice(start, start + rows)
        assert model.transform(x[part]).tobytes() == space[part].tobytes()
        for name, column in model.predict(x[part]).columns().items():
            assert column.tobytes() == whole[name][part].tobytes(), name


def test_threads_change_nothing(model: ClusterModel) -> None:
    x = vectors(2000, seed=3)
    one, three = model.predict(x).columns(), model.predict(x, threads=3).columns()
    assert all(one[name].tobytes() == three[name].tobytes() for name in one)


def test_thresholds_hold_their_shares_of_the_fitted_vectors(model: ClusterModel) -> None:
    found = model.predict(vectors(2000))
    assert found.low_confidence.mean() == pytest.approx(0.05, abs=0.002)
    for cluster in range(5):
        share = found.outlier[found.cluster == cluster].mean()
        assert 0 < share < 0.02
    assert model.fitted_on.points == 2000
    assert model.fitted_on.exact


def test_outliers_are_judged_in_the_embedders_space() -> None:
    # The model's space ignores all but the first coordinate.
    keep_first = torch.zeros(1, DIM)
    keep_first[0, 0] = 1
    space = dense_space([(keep_first, torch.zeros(1))])
    x = np.random.default_rng(0).normal(size=(500, DIM)).astype(np.float32)
    model = fit_model(
        x, method="m", embedder_id="e", space=space, centroids_KD=np.array([[-1.0], [1.0]])
    )
    usual = np.zeros((1, DIM), np.float32)
    usual[0, 0] = 1.0
    strange = usual.copy()
    strange[0, 1:] = 10
    for name, column in model.predict(usual).columns().items():
        if name != "outlier":
            assert column == model.predict(strange).columns()[name]
    assert not model.predict(usual).outlier[0]
    assert model.predict(strange).outlier[0]


def test_dense_space_equals_the_autoencoders_encoder() -> None:
    encoder = DenseAutoencoder([DIM, 40, 33, 6], seed=1).encoder
    encoder.input_scale.fill_(0.25)
    linear = [layer for layer in encoder.layers if isinstance(layer, torch.nn.Linear)]
    space = dense_space(
        [(layer.weight, layer.bias) for layer in linear], input_scale=float(encoder.input_scale)
    )
    x = torch.from_numpy(vectors(50))
    with torch.inference_mode():
        assert torch.allclose(space(x), encoder(x), atol=1e-5)


def test_unit_length_keeps_zeros() -> None:
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    assert ModelSpace(2, (UnitLength(),))(x).tolist() == [
        pytest.approx([0.6, 0.8]),
        [0.0, 0.0],
    ]


def test_batches_and_arrays_fit_the_same_thresholds() -> None:
    x, space = vectors(2000), SPACES["identity"]
    centroids = x[:5]

    def batches() -> Iterator[np.ndarray]:
        yield from np.array_split(x, 7)

    arguments = {"method": "m", "embedder_id": "e", "space": space, "centroids_KD": centroids}
    one = fit_model(x, **arguments)  # type: ignore[arg-type]
    other = fit_model(batches, **arguments)  # type: ignore[arg-type]
    assert other.low_confidence == one.low_confidence
    assert np.allclose(other.outlier_distance_K, one.outlier_distance_K, rtol=1e-6)
    assert np.allclose(other.embedder_centroids_KD, one.embedder_centroids_KD, rtol=1e-6)


def test_sampled_thresholds_say_so_and_are_near() -> None:
    x, space = vectors(8000), SPACES["identity"]
    exact = fit_model(x, method="m", embedder_id="e", space=space, centroids_KD=x[:3])
    sampled = fit_model(
        x, method="m", embedder_id="e", space=space, centroids_KD=x[:3], sample_limit=2000
    )
    assert exact.fitted_on.exact
    assert not sampled.fitted_on.exact
    assert sampled.low_confidence == pytest.approx(exact.low_confidence, rel=0.1)
    assert sampled.outlier_distance_K == pytest.approx(exact.outlier_distance_K, rel=0.1)


def test_a_cluster_without_members_has_no_outliers() -> None:
    x = np.random.default_rng(0).normal(size=(100, DIM)).astype(np.float32)
    centroids = np.stack([x.mean(0), np.full(DIM, 1e4)])
    model = fit_model(x, method="m", embedder_id="e", space=ModelSpace(DIM), centroids_KD=centroids)
    assert np.isinf(model.outlier_distance_K[1])
    far = model.predict(np.full((1, DIM), 1e4, np.float32))
    assert (far.cluster[0], far.outlier[0]) == (1, False)
    assert ClusterModel.from_files(model.to_files()).outlier_distance_K[1] == np.inf


def test_thousands_of_clusters() -> None:
    x = vectors(6000)
    model = fit_model(x, method="m", embedder_id="e", space=ModelSpace(DIM), centroids_KD=x[:3000])
    assert (model.predict(x[:3000]).cluster == np.arange(3000)).all()


def test_other_vectors_are_refused(model: ClusterModel) -> None:
    model.check("e-1")
    with pytest.raises(ValueError, match=r"embedder 'e-1', got those of 'e-2'"):
        model.check("e-2")
    with pytest.raises(ValueError, match=r"vectors of 24 numbers, got an array of shape \(3, 25\)"):
        model.predict(np.ones((3, DIM + 1), np.float32))
    with pytest.raises(ValueError, match="of 24 numbers"):
        model.transform(np.ones(DIM, np.float32))
    bad = vectors(400)
    bad[333, 2] = np.nan
    with pytest.raises(ValueError, match="row 333"):
        model.predict(bad)


def test_no_vectors_at_all(model: ClusterModel) -> None:
    assert len(model.predict(np.empty((0, DIM), np.float32))) == 0
    with pytest.raises(ValueError, match="at least one vector"):
        fit_model(
            np.empty((0, DIM), np.float32),
            method="m",
            embedder_id="e",
            space=model.space,
            centroids_KD=model.centroids_KD,
        )


def test_damaged_files_are_refused() -> None:
    files = fitted(SPACES["dense"]).to_files()
    description = json.loads(files[DESCRIPTION_FILE])
    arrays = safetensors.numpy.load(files[ARRAYS_FILE])
    without = {name: array for name, array in arrays.items() if name != "centroids"}
    newer = json.dumps(description | {"format_version": 99}).encode()
    steps = description["space"] | {"steps": [{"kind": "magic"}]}
    cases = [
        ({DESCRIPTION_FILE: files[DESCRIPTION_FILE]}, "lack"),
        (files | {DESCRIPTION_FILE: newer}, "format version is 99, this program knows 1"),
        (files | {DESCRIPTION_FILE: b"{"}, "not a model's description"),
        (files | {DESCRIPTION_FILE: b"{}"}, "not a model's description"),
        (files | {ARRAYS_FILE: files[ARRAYS_FILE][:-9]}, "damaged"),
        (files | {ARRAYS_FILE: safetensors.numpy.save(without)}, "damaged"),
        (
            files | {DESCRIPTION_FILE: json.dumps(description | {"space": steps}).encode()},
            "'magic'",
        ),
    ]
    for damaged, words in cases:
        with pytest.raises(ValueError, match=words):
            ClusterModel.from_files(damaged)


def test_spaces_that_do_not_fit() -> None:
    eye = (torch.eye(3), torch.zeros(3))
    with pytest.raises(ValueError, match="takes vectors of 3 numbers, but gets 2"):
        ModelSpace(2, (Dense((eye,)),))
    with pytest.raises(ValueError, match="takes vectors of 4 numbers, but gets 3"):
        dense_space([eye, (torch.ones(2, 4), torch.zeros(2))])
    with pytest.raises(ValueError, match="at least one"):
        dense_space([])
    with pytest.raises(ValueError, match=r"shape \(k, 24\)"):
        fit_model(
            vectors(10),
            method="m",
            embedder_id="e",
            space=ModelSpace(DIM),
            centroids_KD=np.ones((2, 5)),
        )


def test_clusters_may_have_numbers_of_their_own() -> None:
    first = fitted(SPACES["identity"])
    model = replace(first, numbers_K=np.array([7, 0, 12, 3, 4], np.int32))
    loaded = ClusterModel.from_files(model.to_files())
    x = vectors(50)
    plain, numbered = first.predict(x), loaded.predict(x)
    assert numbered.cluster.dtype == numbered.second_cluster.dtype == np.int32
    assert numbered.cluster.tolist() == model.numbers_K[plain.cluster].tolist()
    assert numbered.second_cluster.tolist() == model.numbers_K[plain.second_cluster].tolist()
    assert numbered.outlier.tolist() == plain.outlier.tolist()
    assert loaded.centroid_rows(numbered.cluster).tolist() == plain.cluster.tolist()
    assert loaded.centroid_rows(np.array([-1, 12, 0])).tolist() == [-1, 2, 1]
    with pytest.raises(ValueError, match=r"\[0, 3, 4, 7, 12\], got \[1, 99\]"):
        loaded.centroid_rows(np.array([99, 1, 3]))


@pytest.mark.parametrize("numbers", [[0, 1, 2], [0, 1, 2, 3, 3], [-1, 0, 1, 2, 3]])
def test_numbers_are_distinct_and_not_those_of_noise(numbers: list[int]) -> None:
    with pytest.raises(ValueError, match="5 distinct numbers"):
        replace(fitted(SPACES["identity"]), numbers_K=np.array(numbers, np.int32))


def test_a_model_of_the_first_format_has_the_first_numbers() -> None:
    files = fitted(SPACES["identity"]).to_files()
    description = json.loads(files[DESCRIPTION_FILE])
    del description["numbers"]
    older = json.dumps(description | {"format_version": 1}).encode()
    loaded = ClusterModel.from_files(files | {DESCRIPTION_FILE: older})
    assert loaded.numbers_K.tolist() == [0, 1, 2, 3, 4]
