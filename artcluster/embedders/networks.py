"""Networks that map normalised pixels to pooled vectors, and the whole way from uint8 pixels."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional

from artcluster.embedders.catalogue import CLIP, components_of
from artcluster.embedders.clip import ImageTower, build_image_tower
from artcluster.embedders.contract import Contract
from artcluster.embedders.timm import build_timm
from artcluster.embedders.trained_networks import AUTOENCODERS, Encoder, PixelProjection
from artcluster.errors import UsageError


class PooledMaps(nn.Module):
    """Feature maps averaged over their positions, after a ReLU where the network ends without one.

    Its weights keep torchvision's own names under `features`.
    """

    def __init__(self, features: nn.Module, *, relu: bool) -> None:
        super().__init__()
        self.features = features
        self.relu = relu

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map normalised (N, 3, H, W) to (N, channels of the last block)."""
        maps = self.features(pixels)
        if self.relu:
            maps = functional.relu(maps)
        return functional.adaptive_avg_pool2d(maps, 1).flatten(1)


def _densenet121() -> nn.Module:
    from torchvision.models import densenet121

    return PooledMaps(densenet121(weights=None).features, relu=True)


def _vgg16() -> nn.Module:
    """Build the convolutions alone: torchvision's classifier is nine tenths of the network."""
    from torchvision.models.vgg import cfgs, make_layers

    features: nn.Module = make_layers(cfgs["D"])
    for module in features.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(module.bias)
    return PooledMaps(features, relu=False)


def _mobilenet_v2() -> nn.Module:
    from torchvision.models import mobilenet_v2

    return PooledMaps(mobilenet_v2(weights=None).features, relu=False)


def _resnet50() -> nn.Module:
    from torchvision.models import resnet50

    network: nn.Module = resnet50(weights=None)
    network.fc = nn.Identity()
    return network


TORCHVISION: dict[str, Callable[[], nn.Module]] = {
    "densenet121": _densenet121,
    "vgg16": _vgg16,
    "resnet50": _resnet50,
    "mobilenet_v2": _mobilenet_v2,
}


def build_network(network: str, input_px: tuple[int, int], *, seed: int | None = None) -> nn.Module:
    """Build a network without its head, in evaluation mode.

    Args:
        network: A key of the catalogue that has weights, `timm:NAME`, `clip:NAME` or `pca:N`.
        input_px: Height and width of its input.
        seed: Draws the weights. With None the network is a shell that waits for `fill`: what
            torchvision builds then costs neither time nor memory.

    Raises:
        UsageError: timm or OpenCLIP is not installed or knows no such network, or the size does
            not suit it.
    """
    shell = seed is None and network in TORCHVISION
    with torch.random.fork_rng(devices=[]), torch.device("meta" if shell else "cpu"):
        torch.manual_seed(seed or 0)
        if network in TORCHVISION:
            built = TORCHVISION[network]()
        elif network in AUTOENCODERS:
            built = Encoder(network, _square_px(network, input_px), seed or 0)
        elif (components := components_of(network)) is not None:
            built = PixelProjection(components, input_px)
        elif network.startswith(CLIP):
            built = build_image_tower(network, input_px)
        else:
            built = build_timm(network, input_px)
        if seed is not None:
            with _size_checked(network, input_px):
                _settle_statistics(built, input_px, seed)
    return built.eval().requires_grad_(False)


def fill(network: nn.Module, state: Mapping[str, torch.Tensor]) -> nn.Module:
    """Give a network its weights, without copying them, and return it.

    An image tower takes its own among those of the whole network.
    """
    if isinstance(network, ImageTower):
        state = network.part_of(state)
    counters = {
        name: torch.tensor(0)
        for name in network.state_dict()
        if name.endswith("num_batches_tracked")
    }
    network.load_state_dict({**counters, **state}, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def expected_tensors(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the tensors that decide a network's vectors, by name.

    For an image tower they are the whole network's, whose texts are compared with its vectors.
    """
    if isinstance(network, ImageTower):
        return network.whole
    return {
        name: tuple(tensor.shape)
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def old_densenet_name(name: str) -> str:
    """Return today's name of a tensor in torchvision's DenseNet files, which keep older ones.

    >>> old_densenet_name("features.denseblock1.denselayer1.norm.1.weight")
    'features.denseblock1.denselayer1.norm1.weight'
    """
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", name)


class PixelsToVectors(nn.Module):
    """The whole way, in every engine alike: uint8 NHWC → [0, 1] → normalised NCHW → vectors."""

    def __init__(self, contract: Contract, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.mean: torch.Tensor
        self.std: torch.Tensor
        self.register_buffer("mean", torch.tensor(contract.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(contract.std).view(1, 3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map uint8 (N, H, W, 3) to float32 (N, dim)."""
        scaled = pixels.permute(0, 3, 1, 2).float() / 255
        vectors: torch.Tensor = self.network((scaled - self.mean) / self.std)
        return vectors.float()


def vector_length(network: nn.Module, name: str, input_px: tuple[int, int]) -> int:
    """Return the length of a network's vectors, found by embedding one blank image.

    Raises:
        UsageError: The network cannot take images of this size, or gives no vectors.
    """
    with torch.inference_mode(), _size_checked(name, input_px):
        vectors = network(torch.zeros(1, 3, *input_px))
    if vectors.ndim != 2:
        raise UsageError(f"{name} gives {tuple(vectors.shape)} for one image, no vector")
    return int(vectors.shape[1])


@contextmanager
def _size_checked(name: str, input_px: tuple[int, int]) -> Iterator[None]:
    """Explain what torch raises where a network's maps shrink to nothing."""
    try:
        yield
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(
            f"{name} cannot take images of {input_px[0]}×{input_px[1]} px: {reason}; "
            "leave input_px out for its own size"
        ) from error


def _square_px(network: str, input_px: tuple[int, int]) -> int:
    if input_px[0] != input_px[1]:
        raise UsageError(f"{network} takes square images, got {input_px[0]}×{input_px[1]}")
    return input_px[0]


def _settle_statistics(network: nn.Module, input_px: tuple[int, int], seed: int) -> None:
    """Set a random network's batch statistics from seeded patches of colour.

    At their initial 0 and 1 the signal of a random MobileNetV2 fades to 1e-9, which would make it
    a control of nothing.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    if not norms:
        return
    generator = torch.Generator().manual_seed(seed)
    patches = torch.randn(8, 3, 8, 8, generator=generator)
    images = functional.interpolate(patches, size=input_px, mode="bilinear")
    momenta = [m.momentum for m in norms]
    for module in norms:
        module.momentum = 1.0
    network.train()
    with torch.no_grad():
        network(images)
    for module, momentum in zip(norms, momenta, strict=True):
        module.momentum = momentum
