from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from artcluster.clustering.encoder import DenseAutoencoder, encode, encoder_from_state
from artcluster.config import DecSettings, PretrainSettings, from_settings
from artcluster.training.autoencoders import PretrainConfig, pretrain_autoencoder
from artcluster.training.batches import cut_into_shards
from artcluster.training.dec import train_dec
from artcluster.training.refinement import DecConfig, DecResult
from artcluster.training.solo import SoloWorker
from tests.reference import dec_numpy
from tests.training.ranks import run_ranks
from tests.training.reference_inputs import layers_of, row_numbers

CPU = torch.device("cpu")
State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def seeded(blobs: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, State, np.ndarray]:
    """The blobs, an autoencoder a little trained on them, and seeds deliberately off by some."""
    points = blobs[0]
    torch.set_num_threads(1)
    config = from_settings(
        PretrainConfig,
        PretrainSettings(epochs=1, min_steps=200, batch_size=64),
        **{"hidden": (16, 24), "code_dim": 3, "initialisation": "glorot", "dtype": "float64"},
        seed=0,
    )
    state = pretrain_autoencoder(SoloWorker(cut_into_shards(points, 16)), config).state
    codes = encode(encoder_from_state(state), points, device=CPU)
    centroids = KMeans(4, n_init=5, random_state=0).fit(codes).cluster_centers_
    return points, state, centroids + np.random.default_rng(1).normal(size=centroids.shape) * 0.4


def dec_config(**changes: object) -> DecConfig:
    settings: dict[str, Any] = {
        "refresh_every": 35,
        "tolerance": 0.0,
        "max_iterations": 140,
        "batch_size": 64,
        "dtype": "float64",
        "checkpoint_interval_s": 1e9,
    }
    return from_settings(DecConfig, DecSettings(), seed=0, **(settings | changes))


def assert_same(left: DecResult, right: DecResult, tolerance: float) -> None:
    for name, value in left.encoder.items():
        np.testing.assert_allclose(value, right.encoder[name], rtol=0, atol=tolerance, err_msg=name)
    np.testing.assert_allclose(left.centroids_KD, right.centroids_KD, rtol=0, atol=tolerance)
    assert [seen.iteration for seen in left.history] == [seen.iteration for seen in right.history]
    assert [seen.sizes for seen in left.history] == [seen.sizes for seen in right.history]
    assert [seen.label_change for seen in left.history] == [
        seen.label_change for seen in right.history
    ]
    np.testing.assert_allclose(
        [seen.loss for seen in left.history],
        [seen.loss for seen in right.history],
        rtol=tolerance,
    )


def labels(result: DecResult, points: np.ndarray) -> np.ndarray:
    codes = encode(encoder_from_state(result.encoder), points, device=CPU)
    return dec_numpy.soft_assignment(codes, result.centroids_KD).argmax(axis=1)


def test_equals_the_numpy_reference_step_for_step(
    seeded: tuple[np.ndarray, State, np.ndarray],
) -> None:
    points, state, centroids = seeded
    shards = cut_into_shards(points, 16)
    for iterations in (1, 2, 36, 140):
        config = dec_config(max_iterations=iterations)
        ours = train_dec(SoloWorker(shards), state, centroids, config)

        encoder = layers_of(encoder_from_state(state).layers)
        reference = centroids.copy()
        history = dec_numpy.refine(
            points.astype(np.float64) * state["encoder.input_scale"].item(),
            encoder,
            reference,
            row_numbers([len(shard) for shard in shards], config),
            refresh_every=35,
            tolerance=0.0,
            max_iterations=iterations,
        )
        np.testing.assert_allclose(ours.centroids_KD, reference, rtol=0, atol=1e-10)
        for (weight, bias), (known_weight, known_bias) in zip(
            layers_of(encoder_from_state(ours.encoder).layers), encoder, strict=True
        ):
            np.testing.assert_allclose(weight, known_weight, rtol=0, atol=1e-10)
            np.testing.assert_allclose(bias, known_bias, rtol=0, atol=1e-10)
        for seen, (iteration, loss, change, sizes) in zip(ours.history, history, strict=True):
            assert (seen.iteration, seen.label_change) == (iteration, change)
            assert list(seen.sizes) == sizes
            assert seen.loss == pytest.approx(loss, rel=1e-9)


@pytest.mark.parametrize("world", [2, 4])
def test_workers_change_nothing_but_speed(
    seeded: tuple[np.ndarray, State, np.ndarray], blobs: tuple[np.ndarray, np.ndarray], world: int
) -> None:
    points, state, centroids = seeded
    shards = cut_into_shards(points)
    alone = train_dec(SoloWorker(shards), state, centroids, dec_config())
    together = run_ranks(
        world, shards, lambda rank: train_dec(rank, state, centroids, dec_config())
    )
    for result in together:
        assert_same(result, alone, 1e-9)
        assert np.array_equal(labels(result, points), labels(alone, points))
    assert adjusted_rand_score(blobs[1], labels(alone, points)) == 1.0


def test_the_target_is_of_the_whole_data(seeded: tuple[np.ndarray, State, np.ndarray]) -> None:
    """A rank that owned few rows, and took their frequencies for all, would go elsewhere."""
    points, state, centroids = seeded
    order = np.argsort(points[:, 0])
    uneven = [points[order[:10]], points[order[10:]]]
    alone = train_dec(SoloWorker(uneven), state, centroids, dec_config())
    for result in run_ranks(
        2, uneven, lambda rank: train_dec(rank, state, centroids, dec_config())
    ):
        assert_same(result, alone, 1e-9)


def test_stops_where_labels_settle(seeded: tuple[np.ndarray, State, np.ndarray]) -> None:
    points, state, centroids = seeded
    worker = SoloWorker(cut_into_shards(points))
    config = dec_config(tolerance=0.001, max_iterations=20_000)
    result = train_dec(worker, state, centroids, config)
    assert result.converged
    assert result.iterations == result.history[-1].iteration < 20_000
    assert result.history[-1].label_change < 0.001
    assert all(seen.label_change >= 0.001 for seen in result.history[1:-1])
    assert all(sum(seen.sizes) == 300 for seen in result.history)
    cut_short = train_dec(SoloWorker([points]), state, centroids, dec_config(max_iterations=50))
    assert not cut_short.converged
    assert [seen.iteration for seen in cut_short.history] == [0, 35, 50]


class Killed(Exception):
    pass


class DyingWorker(SoloWorker):
    """Dies at its third checkpoint, once that is saved."""

    saved = 0

    def save_checkpoint(self, state: dict, metrics: object) -> None:  # type: ignore[type-arg]
        super().save_checkpoint(state, {})
        self.saved += 1
        if self.saved == 3:
            raise Killed


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_interrupted_and_resumed_equals_uninterrupted(
    seeded: tuple[np.ndarray, State, np.ndarray], optimizer: str
) -> None:
    points, state, centroids = seeded
    shards = cut_into_shards(points)
    config = dec_config(checkpoint_interval_s=0.0, optimizer=optimizer)
    whole = train_dec(SoloWorker(shards), state, centroids, config)
    dying = DyingWorker(shards)
    with pytest.raises(Killed):
        train_dec(dying, state, centroids, config)
    assert dying.checkpoint is not None
    assert dying.checkpoint["iteration"] == 70
    resumed = SoloWorker(shards, checkpoint=dying.checkpoint)
    assert_same(train_dec(resumed, state, centroids, config), whole, 0)
    again = SoloWorker(shards, checkpoint=resumed.checkpoint)
    assert_same(train_dec(again, state, centroids, config), whole, 0)


def test_streamed_and_chunked_refine_alike(
    seeded: tuple[np.ndarray, State, np.ndarray],
) -> None:
    points, state, centroids = seeded
    shards = cut_into_shards(points)
    whole = train_dec(SoloWorker(shards), state, centroids, dec_config())
    pieces = train_dec(
        SoloWorker(shards), state, centroids, dec_config(resident_bytes=0, chunk_rows=7)
    )
    assert_same(whole, pieces, 1e-9)


def test_permuted_seeds_give_permuted_clusters(
    seeded: tuple[np.ndarray, State, np.ndarray],
) -> None:
    points, state, centroids = seeded
    permutation = np.array([2, 0, 3, 1])
    worker = SoloWorker(cut_into_shards(points))
    plain = train_dec(worker, state, centroids, dec_config())
    permuted = train_dec(
        SoloWorker(cut_into_shards(points)), state, centroids[permutation], dec_config()
    )
    np.testing.assert_allclose(
        permuted.centroids_KD, plain.centroids_KD[permutation], rtol=0, atol=1e-9
    )


def test_more_ranks_than_rows_and_float32(
    seeded: tuple[np.ndarray, State, np.ndarray],
) -> None:
    points, state, centroids = seeded
    shards = cut_into_shards(points[:3])
    config = dec_config(max_iterations=20, dtype="float32")
    alone = train_dec(SoloWorker(shards), state, centroids, config)
    assert alone.centroids_KD.dtype == np.float32
    for result in run_ranks(5, shards, lambda rank: train_dec(rank, state, centroids, config)):
        np.testing.assert_allclose(result.centroids_KD, alone.centroids_KD, atol=1e-4)


def test_an_encoder_alone_is_enough(seeded: tuple[np.ndarray, State, np.ndarray]) -> None:
    points, state, centroids = seeded
    config = dec_config(max_iterations=1)
    first = train_dec(SoloWorker([points]), state, centroids, config)
    second = train_dec(SoloWorker([points]), first.encoder, first.centroids_KD, config)
    assert second.encoder.keys() == first.encoder.keys()


def test_misfitting_seeds_are_refused(seeded: tuple[np.ndarray, State, np.ndarray]) -> None:
    points, state, _ = seeded
    with pytest.raises(ValueError, match=r"expected centroids \(K, 3\)"):
        train_dec(SoloWorker([points]), state, np.zeros((4, 5)), dec_config())
    with pytest.raises(ValueError, match="dense encoder"):
        train_dec(SoloWorker([points]), {"weight": torch.zeros(2)}, np.zeros((4, 3)), dec_config())


def test_a_state_that_is_not_finite_is_refused(
    seeded: tuple[np.ndarray, State, np.ndarray],
) -> None:
    points, state, centroids = seeded
    broken = {name: value * np.nan for name, value in state.items()}
    with pytest.raises(ValueError, match="learning_rate"):
        train_dec(SoloWorker([points]), broken, centroids, dec_config())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"refresh_every": 0}, "refresh_every must be at least 1"),
        ({"tolerance": 2.0}, "tolerance is a share"),
        ({"learning_rate": -1.0}, "learning_rate must be above 0"),
        ({"dtype": "half"}, "dtype must be one of"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dec_config(**changes)


def test_the_defaults_are_the_papers() -> None:
    settings = DecSettings()
    config = from_settings(DecConfig, settings, seed=0)
    assert (config.refresh_every, config.tolerance, config.optimizer) == (140, 0.001, "adam")
    assert (config.batch_size, config.learning_rate) == (256, 1e-3)
    pretraining = PretrainSettings()
    assert (pretraining.epochs, pretraining.batch_size) == (200, 256)
    network = DenseAutoencoder((1024, *settings.hidden, settings.code_dim))
    assert sum(value.numel() for value in network.encoder.parameters()) == 1_785_010
