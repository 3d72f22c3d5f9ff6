"""Refinement on pixels: the losses of the papers, and what must hold of every training."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from artcluster.config import DcecSettings, from_settings
from artcluster.embedders.autoencoders import ConvolutionalAutoencoder, genre_autoencoder_v2
from artcluster.embedders.trained_networks import network_input
from artcluster.training.batches import cut_into_shards
from artcluster.training.dec import train_dcec
from artcluster.training.refinement import Clustering, DecConfig, DecResult
from artcluster.training.solo import SoloWorker
from tests.training.ranks import run_ranks

SHAPE = (16, 16, 3)
WEIGHTS = {
    "dcec-paint": (0.9, 0.1),
    "dcec": (0.1, 0.9),
    "dcec-noweights": (1.0, 1.0),
    "cae-dec": (1.0, 0.0),
}


def network(seed: int = 1) -> ConvolutionalAutoencoder:
    return ConvolutionalAutoencoder(input_px=16, filters=(4, 6, 8), code=5, seed=seed)


def config(**changes: object) -> DecConfig:
    settings: dict[str, Any] = {
        "refresh_every": 4,
        "tolerance": 0.0,
        "max_iterations": 12,
        "batch_size": 16,
        "dtype": "float64",
        "checkpoint_interval_s": 1e9,
    }
    paper = {"optimizer": "adamax", "clustering_weight": 0.9, "reconstruction_weight": 0.1}
    return from_settings(DecConfig, DcecSettings(), seed=0, **(paper | settings | changes))


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


@pytest.fixture(scope="module")
def seeds(pictures: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        x = network_input(torch.tensor(pictures), 3)
        codes: np.ndarray = network().encoder(x).numpy()[[0, 7, 21]]
    return codes


def refine(shards: list[np.ndarray], seeds: np.ndarray, **changes: object) -> DecResult:
    return train_dcec(SoloWorker(shards), network(), seeds, config(**changes), row_shape=SHAPE)


def assert_same(left: DecResult, right: DecResult, tolerance: float) -> None:
    for name, value in left.encoder.items():
        np.testing.assert_allclose(value, right.encoder[name], rtol=0, atol=tolerance, err_msg=name)
    np.testing.assert_allclose(left.centroids_KD, right.centroids_KD, rtol=0, atol=tolerance)
    assert [seen.sizes for seen in left.history] == [seen.sizes for seen in right.history]
    np.testing.assert_allclose(
        [seen.loss for seen in left.history], [seen.loss for seen in right.history], rtol=1e-9
    )


def reference_loss(
    model: ConvolutionalAutoencoder,
    centroids: torch.Tensor,
    pixels: torch.Tensor,
    p: torch.Tensor,
    weights: tuple[float, float],
) -> torch.Tensor:
    """The paper's sums, written with torch's own losses and `cdist`."""
    code, reconstruction = model(pixels)
    kernel = 1 / (1 + torch.cdist(code, centroids) ** 2)
    q = kernel / kernel.sum(1, keepdim=True)
    clustering = functional.kl_div(q.log(), p, reduction="batchmean")
    return weights[0] * clustering + weights[1] * functional.mse_loss(reconstruction, pixels)


@pytest.mark.parametrize("method", WEIGHTS)
def test_losses_equal_a_reference_with_their_gradients(method: str) -> None:
    generator = torch.Generator().manual_seed(3)
    rows = torch.randint(0, 256, (6, *SHAPE), dtype=torch.uint8, generator=generator)
    p = torch.rand(6, 4, dtype=torch.float64, generator=generator)
    p /= p.sum(1, keepdim=True)
    seeds = torch.randn(4, 5, dtype=torch.float64, generator=generator)
    clustering, reconstruction = WEIGHTS[method]
    settings = config(clustering_weight=clustering, reconstruction_weight=reconstruction)
    ours = network().double()
    model = Clustering(
        ours.encoder,
        seeds.numpy(),
        code_dim=5,
        decoder=ours.decoder if reconstruction else None,
        prepare=lambda x: network_input(x, 3, torch.float64),
    )
    loss = model.loss(rows, p, 6, settings)
    loss.backward()  # type: ignore[no-untyped-call]
    theirs, centroids = network().double(), seeds.clone().requires_grad_()
    known = reference_loss(
        theirs, centroids, network_input(rows, 3, torch.float64), p, WEIGHTS[method]
    )
    known.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(loss, known, rtol=1e-12, atol=0)
    torch.testing.assert_close(model.centroids.grad, centroids.grad, rtol=1e-9, atol=1e-14)
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        if mine.grad is None:
            assert name.startswith("decoder.")
            assert not reconstruction
        else:
            torch.testing.assert_close(mine.grad, other.grad, rtol=1e-8, atol=1e-13, msg=name)


def test_losses_of_parts_of_a_batch_add_up(seeds: np.ndarray, pictures: np.ndarray) -> None:
    rows = torch.tensor(pictures[:10])
    p = torch.full((10, 3), 1 / 3)
    ours = network()
    model = Clustering(
        ours.encoder,
        seeds,
        code_dim=5,
        decoder=ours.decoder,
        prepare=lambda x: network_input(x, 3),
    )
    whole = model.loss(rows, p, 10, config())
    parts = model.loss(rows[:3], p[:3], 10, config()) + model.loss(rows[3:], p[3:], 10, config())
    torch.testing.assert_close(whole, parts)


def test_a_step_is_adamax_on_the_whole_data_sets_target(
    pictures: np.ndarray, seeds: np.ndarray
) -> None:
    moved = refine([pictures], seeds, max_iterations=1, batch_size=40)
    model = network().double()
    centroids = torch.tensor(seeds).double().requires_grad_()
    pixels = torch.tensor(pictures).permute(0, 3, 1, 2).double() / 255
    with torch.no_grad():
        kernel = 1 / (1 + torch.cdist(model(pixels)[0], centroids) ** 2)
        q = kernel / kernel.sum(1, keepdim=True)
        weight = q**2 / q.sum(0)
        p = weight / weight.sum(1, keepdim=True)
    loss = reference_loss(model, centroids, pixels, p, WEIGHTS["dcec-paint"])
    loss.backward()  # type: ignore[no-untyped-call]
    for name, value in model.encoder.named_parameters():
        assert value.grad is not None
        step = 1e-3 * value.grad / (value.grad.abs() + 1e-8)
        np.testing.assert_allclose(moved.encoder[name], (value - step).detach(), atol=1e-9)
    assert centroids.grad is not None
    step = 1e-3 * centroids.grad / (centroids.grad.abs() + 1e-8)
    np.testing.assert_allclose(moved.centroids_KD, (centroids - step).detach(), atol=1e-9)


@pytest.mark.parametrize("reconstruction", [0.1, 0.0])
def test_workers_change_nothing_but_speed(
    pictures: np.ndarray, seeds: np.ndarray, reconstruction: float
) -> None:
    """The ranks own 3 and 37 pictures: frequencies of a rank's own would lead elsewhere."""
    shards = [pictures[:3], pictures[3:]]
    settings = config(reconstruction_weight=reconstruction)
    alone = train_dcec(SoloWorker(shards), network(), seeds, settings, row_shape=SHAPE)
    for together in run_ranks(
        2, shards, lambda rank: train_dcec(rank, network(), seeds, settings, row_shape=SHAPE)
    ):
        assert_same(together, alone, 1e-9)


class Killed(Exception):
    pass


class DyingWorker(SoloWorker):
    """Dies at its second checkpoint, once that is saved."""

    saved = 0

    def save_checkpoint(self, state: dict, metrics: object) -> None:  # type: ignore[type-arg]
        super().save_checkpoint(state, {})
        self.saved += 1
        if self.saved == 2:
            raise Killed


def test_interrupted_and_resumed_equals_uninterrupted(
    pictures: np.ndarray, seeds: np.ndarray
) -> None:
    shards = cut_into_shards(pictures, 8)
    settings = config(checkpoint_interval_s=0.0)
    whole = train_dcec(SoloWorker(shards), network(), seeds, settings, row_shape=SHAPE)
    dying = DyingWorker(shards)
    with pytest.raises(Killed):
        train_dcec(dying, network(), seeds, settings, row_shape=SHAPE)
    assert dying.checkpoint is not None
    assert dying.checkpoint["iteration"] == 4
    # Another network to begin from: all that counts is in the checkpoint.
    resumed = SoloWorker(shards, checkpoint=dying.checkpoint)
    assert_same(train_dcec(resumed, network(9), seeds, settings, row_shape=SHAPE), whole, 0)


def test_streamed_and_chunked_refine_alike(pictures: np.ndarray, seeds: np.ndarray) -> None:
    shards = cut_into_shards(pictures, 8)
    whole = refine(shards, seeds, resident_bytes=1 << 30)
    assert_same(refine(shards, seeds, resident_bytes=0, chunk_rows=7), whole, 1e-9)


def test_a_state_to_begin_from(pictures: np.ndarray, seeds: np.ndarray) -> None:
    own = refine([pictures], seeds)
    given = train_dcec(
        SoloWorker([pictures]),
        network(9),
        seeds,
        config(),
        row_shape=SHAPE,
        autoencoder=network().state_dict(),
    )
    assert_same(own, given, 0)


def test_a_grey_network_sees_grey(pictures: np.ndarray) -> None:
    """Swapping red and blue changes what a colour network learns, and luma by a known share."""
    grey = genre_autoencoder_v2(input_px=16, channels=1, seed=0)
    with torch.no_grad():
        codes = grey.encoder(network_input(torch.tensor(pictures[:3]), 1)).numpy()
    result = train_dcec(SoloWorker([pictures]), grey, codes, config(), row_shape=SHAPE)
    luma = (pictures.astype(np.float64) @ [0.299, 0.587, 0.114]).round().astype(np.uint8)
    as_grey = np.repeat(luma[..., None], 3, axis=3)
    same = train_dcec(
        SoloWorker([as_grey]),
        genre_autoencoder_v2(input_px=16, channels=1, seed=0),
        codes,
        config(),
        row_shape=SHAPE,
    )
    assert result.centroids_KD.shape == (3, 2)
    # Bytes of grey are rounded.
    np.testing.assert_allclose(result.centroids_KD, same.centroids_KD, atol=2e-3)


def test_what_cannot_be_refined_says_why(pictures: np.ndarray, seeds: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected centroids \(K, 5\)"):
        refine([pictures], seeds[:, :4])
    with pytest.raises(ValueError, match="as uint8, got float32"):
        refine([pictures.astype(np.float32)], seeds)
    with pytest.raises(ValueError, match="clustering_weight must be above 0"):
        config(clustering_weight=0.0)


def test_the_defaults_are_the_papers() -> None:
    settings = DcecSettings()
    assert (settings.refresh_every, settings.tolerance, settings.batch_size) == (140, 0.001, 128)
    assert (settings.balance, settings.learning_rate) == (0.1, 1e-3)
