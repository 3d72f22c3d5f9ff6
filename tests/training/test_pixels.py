from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from artcluster.config import CaeSettings, from_settings
from artcluster.embedders.autoencoders import ConvolutionalAutoencoder
from artcluster.training.autoencoders import train_cae
from artcluster.training.batches import cut_into_shards
from artcluster.training.reconstruction import Reconstruction, ReconstructionConfig
from artcluster.training.solo import SoloWorker
from artcluster.workflows.embedding.trained_network import reconstruction_config
from tests.training.ranks import run_ranks

SHAPE = (16, 16, 3)


def network() -> ConvolutionalAutoencoder:
    return ConvolutionalAutoencoder(input_px=16, filters=(4, 6, 8), code=5, seed=1)


def config(**changes: object) -> ReconstructionConfig:
    settings: dict[str, Any] = {
        "epochs": 100,
        "min_steps": 0,
        "max_steps": 30,
        "batch_size": 16,
        "optimizer": "adamax",
        "dtype": "float64",
        "checkpoint_interval_s": 1e9,
    }
    return from_settings(ReconstructionConfig, CaeSettings(), seed=0, **(settings | changes))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """Forty pictures of coloured ramps, in a mapped file."""
    generator = np.random.default_rng(0)
    colours = generator.integers(0, 256, size=(40, 1, 1, 3))
    ramp = np.linspace(0, 1, 16)[None, :, None, None]
    path = tmp_path_factory.mktemp("pixels") / "pixels.npy"
    np.save(path, np.broadcast_to(colours * ramp, (40, *SHAPE)).astype(np.uint8))
    mapped: np.ndarray = np.load(path, mmap_mode="r")
    return mapped


def train(shards: list[np.ndarray], **changes: object) -> Reconstruction:
    return train_cae(SoloWorker(shards), network(), config(**changes), row_shape=SHAPE)


def assert_same(left: Reconstruction, right: Reconstruction, tolerance: float) -> None:
    for name, value in left.state.items():
        np.testing.assert_allclose(value, right.state[name], rtol=0, atol=tolerance, err_msg=name)
    np.testing.assert_allclose(left.losses, right.losses, rtol=1e-9 if tolerance else 0)


def test_learns_and_measures_pixels_in_0_to_1(pictures: np.ndarray) -> None:
    trained = train([pictures], max_steps=150)
    assert trained.steps == 150
    assert trained.losses[-1] < 0.3 * trained.losses[0]
    model = network().double()
    model.load_state_dict(trained.state)
    pixels = torch.tensor(pictures).permute(0, 3, 1, 2).double() / 255
    with torch.no_grad():
        error = (model(pixels)[1] - pixels).square().mean().item()
    assert error == pytest.approx(trained.losses[-1], rel=0.3)


def test_one_step_is_adamax_on_the_mean_over_pixels(pictures: np.ndarray) -> None:
    trained = train([pictures], max_steps=1, batch_size=40)
    model = network().double()
    pixels = torch.tensor(pictures).permute(0, 3, 1, 2).double() / 255
    loss = torch.nn.functional.mse_loss(model(pixels)[1], pixels)
    loss.backward()
    assert trained.losses == (pytest.approx(loss.item(), rel=1e-12),)
    for name, value in model.named_parameters():
        assert value.grad is not None
        # AdaMax's first step is the learning rate, in the gradient's direction.
        step = 1e-3 * value.grad / (value.grad.abs() + 1e-8)
        np.testing.assert_allclose(trained.state[name], (value - step).detach(), atol=1e-9)


@pytest.mark.parametrize("optimizer", ["adamax", "adam"])
def test_workers_change_nothing_but_speed(pictures: np.ndarray, optimizer: str) -> None:
    """Adam is fused: gradients must lie in memory as the weights do, channels last."""
    shards = cut_into_shards(pictures, 8)
    settings = config(optimizer=optimizer)
    alone = train_cae(SoloWorker(shards), network(), settings, row_shape=SHAPE)
    for together in run_ranks(
        2, shards, lambda rank: train_cae(rank, network(), settings, row_shape=SHAPE)
    ):
        assert_same(together, alone, 1e-9)


def test_streamed_from_a_mapped_file_trains_alike(pictures: np.ndarray) -> None:
    shards = cut_into_shards(pictures, 8)
    assert_same(train(shards), train(shards, resident_bytes=0), 0)


class Killed(Exception):
    pass


class DyingWorker(SoloWorker):
    def save_checkpoint(self, state: dict, metrics: object) -> None:  # type: ignore[type-arg]
        super().save_checkpoint(state, {})
        raise Killed


def test_interrupted_and_resumed_equals_uninterrupted(pictures: np.ndarray) -> None:
    shards = cut_into_shards(pictures, 8)
    settings = config(checkpoint_interval_s=0.0, checkpoint_steps=11)
    whole = train_cae(SoloWorker(shards), network(), settings, row_shape=SHAPE)
    dying = DyingWorker(shards)
    with pytest.raises(Killed):
        train_cae(dying, network(), settings, row_shape=SHAPE)
    resumed = SoloWorker(shards, checkpoint=dying.checkpoint)
    assert_same(train_cae(resumed, network(), settings, row_shape=SHAPE), whole, 0)


def test_pictures_as_floats_or_of_another_shape_are_refused(
    pictures: np.ndarray, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="as uint8, got float32"):
        train([pictures.astype(np.float32)])
    with pytest.raises(ValueError, match="expected rows of shape"):
        train([pictures[:, :8]])


def test_the_defaults_are_the_papers() -> None:
    settings = reconstruction_config("cae", CaeSettings(), seed=0)
    assert (settings.epochs, settings.batch_size) == (200, 128)
    assert (settings.optimizer, settings.learning_rate) == ("adamax", 1e-3)
