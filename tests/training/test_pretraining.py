import numpy as np
import pytest
import torch

from artcluster.clustering.encoder import DenseAutoencoder
from artcluster.config import PretrainSettings, from_settings
from artcluster.training.autoencoders import PretrainConfig, pretrain_autoencoder
from artcluster.training.batches import cut_into_shards
from artcluster.training.reconstruction import Reconstruction
from artcluster.training.solo import SoloWorker
from tests.reference import dec_numpy
from tests.training.ranks import ThreadWorker, run_ranks
from tests.training.reference_inputs import layers_of, row_numbers

SMALL = from_settings(
    PretrainConfig,
    PretrainSettings(),
    seed=0,
    initialisation="glorot",
    hidden=(16, 24),
    code_dim=3,
    epochs=1,
    min_steps=0,
    batch_size=64,
    dtype="float64",
    checkpoint_interval_s=1e9,
)


def with_settings(**changes: object) -> PretrainConfig:
    values = {name: getattr(SMALL, name) for name in SMALL.__dataclass_fields__}
    return PretrainConfig(**{**values, **changes})


def assert_same(left: Reconstruction, right: Reconstruction, tolerance: float) -> None:
    assert left.state.keys() == right.state.keys()
    for name, value in left.state.items():
        np.testing.assert_allclose(value, right.state[name], rtol=0, atol=tolerance, err_msg=name)
    np.testing.assert_allclose(left.losses, right.losses, rtol=1e-9 if tolerance else 0)


def test_equals_the_numpy_reference_step_for_step(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    points = blobs[0].astype(np.float64)
    shards = cut_into_shards(points, 8)
    config = with_settings(max_steps=60, epochs=100)
    trained = pretrain_autoencoder(SoloWorker(shards), config)

    network = DenseAutoencoder((12, 16, 24, 3), seed=0).double()
    scale = np.sqrt(points.size / np.sum(points**2))
    encoder, decoder = layers_of(network.encoder.layers), layers_of(network.decoder)
    batches = row_numbers([len(shard) for shard in shards], config)
    errors = list(dec_numpy.pretrain(points * scale, encoder, decoder, batches, 60))

    assert trained.state["encoder.input_scale"].item() == pytest.approx(scale, rel=1e-12)
    network.load_state_dict(trained.state)
    for ours, reference in zip(
        layers_of(network.encoder.layers) + layers_of(network.decoder),
        encoder + decoder,
        strict=True,
    ):
        np.testing.assert_allclose(ours[0], reference[0], rtol=0, atol=1e-10)
        np.testing.assert_allclose(ours[1], reference[1], rtol=0, atol=1e-10)
    sizes = np.array([64, 64, 64, 64, 44])
    first = np.sum(np.array(errors[:5]) * sizes) / 300
    assert trained.losses[0] == pytest.approx(first, rel=1e-10)
    assert len(trained.losses) == 12
    assert trained.losses[-1] < 0.6 * trained.losses[0]


@pytest.mark.parametrize("world", [2, 4])
def test_workers_change_nothing_but_speed(blobs: tuple[np.ndarray, np.ndarray], world: int) -> None:
    shards = cut_into_shards(blobs[0], 16)
    config = with_settings(max_steps=140, epochs=100)
    alone = pretrain_autoencoder(SoloWorker(shards), config)
    for together in run_ranks(world, shards, lambda rank: pretrain_autoencoder(rank, config)):
        assert_same(together, alone, 1e-9)


def test_more_ranks_than_shards(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    shards = cut_into_shards(blobs[0][:3])
    config = with_settings(max_steps=10)
    alone = pretrain_autoencoder(SoloWorker(shards), config)
    for together in run_ranks(5, shards, lambda rank: pretrain_autoencoder(rank, config)):
        assert_same(together, alone, 1e-12)


def test_streamed_vectors_train_alike(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    shards = cut_into_shards(blobs[0])
    resident = pretrain_autoencoder(SoloWorker(shards), with_settings(max_steps=12, epochs=9))
    streamed = pretrain_autoencoder(
        SoloWorker(shards), with_settings(max_steps=12, epochs=9, resident_bytes=0)
    )
    assert_same(resident, streamed, 0)


class Killed(Exception):
    pass


class DyingWorker(SoloWorker):
    """Dies at its nth checkpoint, once that is saved."""

    dies_at = 3

    def save_checkpoint(self, state: dict, metrics: object) -> None:  # type: ignore[type-arg]
        super().save_checkpoint(state, {})
        self.dies_at -= 1
        if self.dies_at == 0:
            raise Killed


def test_interrupted_and_resumed_equals_uninterrupted(
    blobs: tuple[np.ndarray, np.ndarray],
) -> None:
    shards = cut_into_shards(blobs[0], 8)
    config = with_settings(epochs=100, max_steps=43, checkpoint_interval_s=0.0, checkpoint_steps=7)
    whole = pretrain_autoencoder(SoloWorker(shards), config)
    dying = DyingWorker(shards)
    with pytest.raises(Killed):
        pretrain_autoencoder(dying, config)
    assert dying.checkpoint is not None
    assert dying.checkpoint["step"] == 21
    resumed = SoloWorker(shards, checkpoint=dying.checkpoint)
    assert_same(pretrain_autoencoder(resumed, config), whole, 0)
    # Resumed once more, now that all is done, it has nothing left to do.
    again = SoloWorker(shards, checkpoint=resumed.checkpoint)
    assert_same(pretrain_autoencoder(again, config), whole, 0)


def test_a_resume_may_have_other_workers(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    shards = cut_into_shards(blobs[0], 8)
    config = with_settings(epochs=100, max_steps=43, checkpoint_interval_s=0.0, checkpoint_steps=7)
    whole = pretrain_autoencoder(SoloWorker(shards), config)
    dying = DyingWorker(shards)
    with pytest.raises(Killed):
        pretrain_autoencoder(dying, config)

    def resume(rank: ThreadWorker) -> Reconstruction:
        return pretrain_autoencoder(rank, config)

    for together in run_ranks(2, shards, resume, checkpoint=dying.checkpoint):
        assert_same(together, whole, 1e-10)


def test_a_checkpoint_of_other_settings_is_refused(
    blobs: tuple[np.ndarray, np.ndarray],
) -> None:
    worker = SoloWorker(cut_into_shards(blobs[0]))
    pretrain_autoencoder(worker, with_settings(max_steps=2))
    with pytest.raises(ValueError, match="a name of its own"):
        pretrain_autoencoder(worker, with_settings(max_steps=2, seed=1))


def test_steps_count_where_epochs_are_short() -> None:
    assert with_settings(epochs=200, min_steps=2000).steps(batches=3) == 2000
    assert with_settings(epochs=200, min_steps=2000).steps(batches=100) == 20_000
    assert with_settings(epochs=200, min_steps=2000, max_steps=50).steps(batches=3) == 50


def test_the_papers_initialisation_by_name() -> None:
    network = DenseAutoencoder((100, 200, 10), initialisation="normal-0.01", seed=3)
    weights = torch.cat([layer.reshape(-1) for layer in network.parameters() if layer.ndim == 2])
    assert weights.std().item() == pytest.approx(0.01, rel=0.02)
    glorot = DenseAutoencoder((100, 200, 10), seed=3).encoder.layers[0].weight
    assert glorot.abs().max().item() == pytest.approx(np.sqrt(6 / 300), rel=0.01)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"max_steps": 0}, "max_steps must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"dtype": "float16"}, "dtype must be one of float32, float64"),
        ({"scaling": "unit"}, "scaling must be mean-square or none"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        with_settings(**changes)


def test_unknown_names_list_the_choices(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    worker = SoloWorker(cut_into_shards(blobs[0]))
    with pytest.raises(ValueError, match="adam, adamax, sgd"):
        pretrain_autoencoder(worker, with_settings(optimizer="lion"))
    with pytest.raises(ValueError, match=r"glorot, normal-0\.01"):
        pretrain_autoencoder(worker, with_settings(initialisation="he"))


def test_vectors_that_are_not_finite_are_refused(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    points = blobs[0].copy()
    points[17, 3] = np.nan
    with pytest.raises(ValueError, match="finite"):
        pretrain_autoencoder(SoloWorker([points]), SMALL)


def test_ranks_with_vectors_of_different_lengths_are_refused() -> None:
    shards = [np.zeros((4, 3), np.float32), np.zeros((4, 5), np.float32)]
    with pytest.raises(ValueError, match="one length"):
        pretrain_autoencoder(SoloWorker(shards), SMALL)
    with pytest.raises(ValueError, match="one length"):
        run_ranks(2, shards, lambda rank: pretrain_autoencoder(rank, SMALL))


def test_a_single_row_and_a_constant_one() -> None:
    trained = pretrain_autoencoder(SoloWorker([np.zeros((1, 5), np.float32)]), SMALL)
    assert trained.state["encoder.input_scale"].item() == 1.0
    assert trained.losses == (0.0,)
