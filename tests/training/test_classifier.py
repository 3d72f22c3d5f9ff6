"""Fine-tuning in two phases: on small random networks and coloured squares."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from artcluster.config import from_settings
from artcluster.config.study import BackboneStudySettings
from artcluster.embedders.fine_tuning import (
    FINE_TUNED,
    FineTunedNetwork,
    parameter_count,
    split_at_last_block,
)
from artcluster.embedders.networks import PooledMaps, build_network
from artcluster.errors import UsageError
from artcluster.training.batches import cut_into_shards, owned_shards
from artcluster.training.classification import Classified, ClassifierConfig, Labelled
from artcluster.training.classifier import train_classifier
from artcluster.training.frozen import FrozenOutputs, PixelRows, dropout_masks
from artcluster.training.solo import SoloWorker
from tests.training.ranks import run_ranks

SHAPE = (8, 8, 3)
ROWS, SEEN = 45, 15


def _network() -> FineTunedNetwork:
    """A backbone of MobileNetV2's form and nearly no size, cut before its last convolution."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        blocks = [nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.ReLU())]
        blocks += [nn.Identity() for _ in range(16)]
        blocks += [nn.Sequential(nn.Conv2d(6, 10, 3), nn.BatchNorm2d(10), nn.ReLU())]
    backbone = PooledMaps(nn.Sequential(*blocks), relu=False)
    return FineTunedNetwork(
        backbone, "mobilenet_v2", mean=(0.5,) * 3, std=(0.25,) * 3, dim=10, classes=3
    ).double()


def pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Squares in red, green or blue, with much noise."""
    generator = np.random.default_rng(seed)
    classes = np.arange(count) % 3
    colours = 90 + 60 * np.eye(3)[classes]
    noisy = colours[:, None, None, :] + generator.normal(0, 60, (count, *SHAPE))
    return noisy.clip(0, 255).astype(np.uint8), classes


NETWORK = _network()


def network() -> FineTunedNetwork:
    """A copy: ranks are threads, and must not seed torch at once."""
    return copy.deepcopy(NETWORK)


PIXELS, CLASSES = pictures(ROWS, 0)
VALIDATION = pictures(SEEN, 1)
SHARDS = cut_into_shards(PIXELS, 6)
CLASSES_OF = dict(enumerate(cut_into_shards(CLASSES, 6)))


def train(worker: Any, **changes: Any) -> tuple[Classified, FineTunedNetwork]:
    settings: dict[str, Any] = {
        "batch_size": 8,
        "max_epochs": 4,
        "learning_rate": 0.05,
        "fine_tuning_rate": 0.01,
        "checkpoint_interval_s": 1e9,
    }
    trained = network()
    seen = owned_shards(SEEN, worker.rank, worker.world)
    labelled = Labelled([VALIDATION[0][seen]], VALIDATION[1][seen])
    found = train_classifier(
        worker,
        trained,
        {number: CLASSES_OF[number] for number in worker.shards},
        labelled,
        from_settings(ClassifierConfig, BackboneStudySettings(), **(settings | changes)),
        row_shape=SHAPE,
    )
    return found, trained


def assert_same(left: Classified, right: Classified, tolerance: float) -> None:
    np.testing.assert_allclose(left.epochs, right.epochs, rtol=0, atol=tolerance)
    np.testing.assert_array_equal(left.confusion_CC, right.confusion_CC)
    np.testing.assert_array_equal(left.confusion_head_CC, right.confusion_head_CC)
    assert (left.best, left.stopped) == (right.best, right.stopped)


def test_the_head_learns_first_then_the_last_block_too() -> None:
    before = {name: value.clone() for name, value in network().state_dict().items()}
    found, trained = train(SoloWorker(SHARDS))
    assert [epoch.phase for epoch in found.epochs] == sorted(e.phase for e in found.epochs)
    assert {epoch.phase for epoch in found.epochs} == {1, 2}
    assert found.epochs[-1].loss < 0.7 * found.epochs[0].loss
    assert found.epochs[found.best[1]].validation_accuracy > 0.6
    assert found.confusion_CC.sum(axis=1).tolist() == [5, 5, 5]
    right = found.confusion_CC.trace() / SEEN
    assert right == pytest.approx(found.epochs[found.best[1]].validation_accuracy)
    # 6·10·9 + 10 of the convolution, 2·10 of the normalisation, 10·3 + 3 of the head.
    assert found.trained == (33, 33 + 550 + 20)
    after = trained.state_dict()
    for name, value in before.items():
        moved = not torch.equal(after[name].cpu(), value)
        learns = name.startswith(("block.features.17.0", "head")) or name in (
            "block.features.17.1.weight",
            "block.features.17.1.bias",
        )
        assert moved == learns, name


def test_the_first_step_is_adam_on_the_mean_cross_entropy() -> None:
    """With a budget of one step, against the same done by hand."""
    found, _ = train(SoloWorker(SHARDS), max_steps=1, batch_size=ROWS, max_epochs=9)
    assert found.stopped == ("max_steps", "max_steps")
    model = network()
    features = model.features(model.maps(torch.from_numpy(PIXELS)))
    masks = torch.from_numpy(dropout_masks(np.arange(ROWS), 10, 0.2, seed=0, epoch=0))
    loss = nn.functional.cross_entropy(model.scores(features * masks), torch.from_numpy(CLASSES))
    assert found.epochs[0].loss == pytest.approx(loss.item(), abs=1e-9)


def test_patience_ends_each_phase_and_the_best_weights_stay() -> None:
    found, _ = train(SoloWorker(SHARDS), max_epochs=60, patience=2, learning_rate=0.5)
    assert found.stopped == ("patience", "patience")
    for phase in (1, 2):
        places = [place for place, epoch in enumerate(found.epochs) if epoch.phase == phase]
        losses = [found.epochs[place].validation_loss for place in places]
        best = found.best[phase - 1]
        assert best == places[int(np.argmin(losses))]
        assert places[-1] - best == 2


def test_workers_change_nothing_but_speed() -> None:
    alone, _ = train(SoloWorker(SHARDS))
    for together in run_ranks(2, SHARDS, lambda rank: train(rank)[0]):
        assert_same(together, alone, 1e-9)


def test_outputs_that_do_not_fit_are_computed_again() -> None:
    assert_same(train(SoloWorker(SHARDS), map_bytes=0)[0], train(SoloWorker(SHARDS))[0], 1e-9)
    pixels = PixelRows([PIXELS], SHAPE, torch.device("cpu"))
    kept = FrozenOutputs(
        pixels, ROWS, network().maps, device=torch.device("cpu"), budget_bytes=1 << 20
    )
    assert kept.kept_bytes == ROWS * kept.row_bytes > 0


class Killed(Exception):
    pass


class DyingWorker(SoloWorker):
    """Dies at a checkpoint."""

    def __init__(self, shards: Any, lives: int) -> None:
        super().__init__(shards)
        self.lives = lives

    def save_checkpoint(self, state: dict[str, Any], metrics: Mapping[str, float]) -> None:
        super().save_checkpoint(state, metrics)
        self.lives -= 1
        if not self.lives:
            raise Killed


@pytest.mark.parametrize("lives", [1, 4, 7])
def test_interrupted_and_resumed_equals_uninterrupted(lives: int) -> None:
    """In the first phase, at its end or in the second; in the midst of an epoch, too."""
    often = {"checkpoint_interval_s": 0.0, "checkpoint_steps": 5}
    whole, _ = train(SoloWorker(SHARDS), **often)
    dying = DyingWorker(SHARDS, lives)
    with pytest.raises(Killed):
        train(dying, **often)
    resumed, _ = train(SoloWorker(SHARDS, checkpoint=dying.checkpoint), **often)
    assert_same(resumed, whole, 0)


@pytest.mark.parametrize(
    ("name", "dim", "side_px", "maps", "block"),
    [
        # Three 3×3 convolutions of 512 to 512 maps with biases.
        ("vgg16", 512, 32, (512, 2, 2), 3 * (512 * 512 * 9 + 512)),
        ("resnet50", 2048, 32, (1024, 2, 2), 14_964_736),
        ("densenet121", 1024, 32, (512, 1, 1), 2_160_128),
        ("mobilenet_v2", 1280, 32, (160, 1, 1), 473_920 + 412_160),
    ],
)
def test_shapes_and_parameters_of_the_last_block(
    name: str, dim: int, side_px: int, maps: tuple[int, ...], block: int
) -> None:
    backbone = build_network(name, (side_px, side_px), seed=0)
    pixels = torch.randint(0, 256, (2, side_px, side_px, 3), dtype=torch.uint8)
    with torch.no_grad():
        whole = backbone((pixels.permute(0, 3, 1, 2) / 255 - 0.5) / 0.25)
    tuned = FineTunedNetwork(backbone, name, mean=(0.5,) * 3, std=(0.25,) * 3, dim=dim, classes=8)
    assert tuned.maps(pixels).shape == (2, *maps)
    features = tuned.features(tuned.maps(pixels))
    torch.testing.assert_close(features, whole, rtol=1e-4, atol=1e-5)
    assert tuned.scores(features).shape == (2, 8)
    assert parameter_count(tuned.block) == block
    assert parameter_count(tuned.head) == 8 * dim + 8


def test_a_network_whose_last_block_is_not_known_is_refused() -> None:
    assert set(FINE_TUNED) == {"vgg16", "resnet50", "densenet121", "mobilenet_v2"}
    with pytest.raises(UsageError, match=r"'cae' is not known: choose among vgg16, resnet50"):
        split_at_last_block(nn.Identity(), "cae")
