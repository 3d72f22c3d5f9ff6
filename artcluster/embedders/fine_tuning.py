"""A backbone cut before its last convolutional block, with a head for classes on top."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain

import torch
from torch import nn

from artcluster.embedders.autoencoders import initialise_glorot
from artcluster.embedders.networks import PooledMaps
from artcluster.errors import UsageError

_VGG_BLOCK_5 = 24
_MOBILENET_LAST = 17


class FineTunedNetwork(nn.Module):
    """Pixels → `maps` of the frozen trunk → pooled `features` of the last block → class scores.

    Everything stays in evaluation mode: a frozen batch normalisation keeps its statistics, and so
    does one of the last block, whose scales and shifts alone are trained. That is Keras's advice
    for fine-tuning, and it makes the result the same for any number of workers.

    Args:
        backbone: A network of `build_network`, filled.
        name: Its name: `vgg16`, `resnet50`, `densenet121` or `mobilenet_v2`.
        mean: Channel means of RGB in [0, 1] that its weights expect.
        std: Channel deviations that its weights expect.
        dim: Length of its pooled features.
        classes: Classes to tell apart.
        seed: Seeds the head, drawn by Glorot's uniform distribution as Keras does.

    Raises:
        UsageError: The last block of such a network is not known.

    Source: Castellano and Vessio 2021 (DELIUS), §5.4.
    """

    def __init__(
        self,
        backbone: nn.Module,
        name: str,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        dim: int,
        classes: int,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.trunk, self.block = split_at_last_block(backbone, name)
        self.head = nn.Linear(dim, classes)
        self.mean: torch.Tensor
        self.std: torch.Tensor
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        initialise_glorot(self.head, seed)
        self.requires_grad_(False)
        self.eval()

    @torch.no_grad()
    def maps(self, pixels_NHWC: torch.Tensor) -> torch.Tensor:
        """Return what the frozen trunk makes of uint8 RGB pixels."""
        pixels = pixels_NHWC.permute(0, 3, 1, 2).to(self.mean.dtype).div_(255.0)
        found: torch.Tensor = self.trunk((pixels - self.mean) / self.std)
        return found

    def features(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the globally average-pooled output of the last block, (N, D)."""
        pooled: torch.Tensor = self.block(maps)
        return pooled

    def scores(self, features_ND: torch.Tensor) -> torch.Tensor:
        """Return the classes' logits, (N, C); softmax is part of the loss."""
        logits_NC: torch.Tensor = self.head(features_ND)
        return logits_NC


def split_at_last_block(backbone: nn.Module, name: str) -> tuple[nn.Module, nn.Module]:
    """Cut a backbone in two: what stays frozen, and the last convolutional block with its pooling.

    The last block is VGG16's fifth, ResNet50's `layer4`, DenseNet121's fourth dense block with the
    normalisation after it, and MobileNetV2's last inverted residual with the convolution after it.

    Raises:
        UsageError: The last block of such a network is not known.
    """
    if name not in _CUTS:
        raise UsageError(
            f"the last convolutional block of {name!r} is not known: choose among "
            f"{', '.join(_CUTS)}"
        )
    return _CUTS[name](backbone)


def _cut_features(place: int) -> Callable[[nn.Module], tuple[nn.Module, nn.Module]]:
    def cut(backbone: nn.Module) -> tuple[nn.Module, nn.Module]:
        assert isinstance(backbone, PooledMaps)
        assert isinstance(backbone.features, nn.Sequential)
        last = PooledMaps(backbone.features[place:], relu=backbone.relu)
        return backbone.features[:place], last

    return cut


def _cut_densenet(backbone: nn.Module) -> tuple[nn.Module, nn.Module]:
    names = [name for name, _ in backbone.features.named_children()]  # type: ignore[union-attr]
    return _cut_features(names.index("denseblock4"))(backbone)


def _cut_resnet(backbone: nn.Module) -> tuple[nn.Module, nn.Module]:
    parts = dict(backbone.named_children())
    trunk = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3")
    return (
        nn.Sequential(*(parts[name] for name in trunk)),
        nn.Sequential(parts["layer4"], parts["avgpool"], nn.Flatten()),
    )


_CUTS: Mapping[str, Callable[[nn.Module], tuple[nn.Module, nn.Module]]] = {
    "vgg16": _cut_features(_VGG_BLOCK_5),
    "resnet50": _cut_resnet,
    "densenet121": _cut_densenet,
    "mobilenet_v2": _cut_features(_MOBILENET_LAST),
}


FINE_TUNED = tuple(_CUTS)
"""Networks whose last block is known."""


def parameter_count(*modules: nn.Module) -> int:
    """Return the trainable numbers of some modules.

    >>> parameter_count(nn.Linear(3, 2))
    8
    """
    return sum(each.numel() for each in chain(*(module.parameters() for module in modules)))
