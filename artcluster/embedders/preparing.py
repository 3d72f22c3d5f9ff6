"""The driver's side: fetch an embedder's weights once and state its contract."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from artcluster.embedders.catalogue import CLIP, TIMM, Name, defaults_of, parse_name
from artcluster.embedders.contract import Contract, precision_class
from artcluster.embedders.faces import CHIP_PX, FACES, FaceRecipe
from artcluster.errors import UsageError
from artcluster.images.faces import FaceLimits

if TYPE_CHECKING:
    import torch

    from artcluster.embedders.weights import WeightsSource


def prepare(
    name: str,
    *,
    pixel_policy_id: str,
    fit: str,
    weights: "str | WeightsSource | Mapping[str, torch.Tensor]" = "auto",
    weights_sha256: str | None = None,
    input_px: int | None = None,
    normalize: bool = True,
    seed: int = 0,
    precision: str = "auto",
    read_bytes: Callable[[str], bytes] | None = None,
    faces: FaceRecipe | None = None,
) -> "tuple[Contract, dict[str, torch.Tensor]]":
    """Fetch an embedder's weights and state its contract. For the driver, once a job.

    Args:
        name: A key of `EMBEDDERS`, `timm:NAME`, `clip:NAME`, `pca:N` or `random:NAME`.
        pixel_policy_id: Id of the policy that turned bytes into RGB.
        fit: How the policy brings an image to `input_px`.
        weights: `auto`, `package`, `torchvision`, `timm`, `clip`, a path or URI, or the tensors
            themselves, such as those of an autoencoder just trained.
        weights_sha256: SHA-256 of the file at a path or URI.
        input_px: Side of the input; by default the network's own.
        normalize: Apply the mean and deviation that the weights expect, after scaling to [0, 1].
        seed: Draws the weights of `random:NAME`.
        precision: `auto`, `float32`, `float16` or `bfloat16`: decides the precision class.
        read_bytes: Reads a path or URI whole; by default local paths alone.
        faces: For `faces`: how they are found; by default as the installed detector does.

    Returns:
        The contract, and the tensors in use: no classifier, no decoder.

    Raises:
        UsageError: The name is unknown, or the weights cannot be had or do not fit.
    """
    parsed = parse_name(name)
    size, mean, std = _preprocessing(parsed.network, input_px, normalize)
    state: dict[str, torch.Tensor] = {}
    dim, sha256, origin = 0, "", ""
    if parsed.network == "color-histogram":
        dim, precision = defaults_of(name).dim, "auto"
    elif parsed.network == FACES:
        from artcluster.embedders.faces import packaged_weights
        from artcluster.embedders.state import state_sha256

        recipe = faces or FaceRecipe.of_installed(FaceRecipe.picture_px, FaceLimits())
        _check_faces(weights, input_px, precision)
        state, origin = packaged_weights()
        dim, sha256, fit = defaults_of(name).dim, state_sha256(state), recipe.to_text()
    else:
        from artcluster.embedders.state import state_sha256
        from artcluster.embedders.weights import WeightsSource

        if isinstance(weights, str) and not parsed.random:
            weights = WeightsSource.parse(weights, weights_sha256)
        state, dim, origin = _network_state(parsed, size, weights, seed, read_bytes)
        sha256 = state_sha256(state)
    contract = Contract(
        name=name,
        network=parsed.network,
        dim=dim,
        input_px=size,
        mean=mean,
        std=std,
        fit=fit,
        pixel_policy_id=pixel_policy_id,
        weights_sha256=sha256,
        precision=precision_class(precision),
        origin=origin,
    )
    return contract, state


def _check_faces(weights: object, input_px: int | None, precision: str) -> None:
    """Refuse settings that faces have no use for."""
    for name, value, choices in (
        ("weights", weights, ("auto", "package")),
        ("input_px", input_px, (None,)),
        ("precision", precision, ("auto", "float32")),
    ):
        if value not in choices:
            raise UsageError(
                f"faces: {name} cannot be set, got {value!r}: its network comes in the package "
                f"face-recognition-models and takes aligned faces of {CHIP_PX} px"
            )


def _preprocessing(
    network: str, input_px: int | None, normalize: bool
) -> tuple[tuple[int, int], tuple[float, ...], tuple[float, ...]]:
    """Return input size (H, W), mean and deviation."""
    if network.startswith(TIMM):
        from artcluster.embedders.timm import timm_preprocessing

        size, mean, std = timm_preprocessing(network)
    elif network.startswith(CLIP):
        from artcluster.embedders.clip import clip_preprocessing

        size, mean, std = clip_preprocessing(network)
    else:
        backbone = defaults_of(network)
        size, mean, std = (backbone.input_px, backbone.input_px), backbone.mean, backbone.std
    if input_px is not None:
        size = (input_px, input_px)
    if not normalize:
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    return size, mean, std


def _network_state(
    name: Name,
    size: tuple[int, int],
    weights: "str | WeightsSource | Mapping[str, torch.Tensor]",
    seed: int,
    read_bytes: Callable[[str], bytes] | None,
) -> "tuple[dict[str, torch.Tensor], int, str]":
    """Return the tensors in use, the length of their vectors, and where they came from."""
    from artcluster.embedders import networks
    from artcluster.embedders.state import select_tensors
    from artcluster.embedders.weights import WeightsSource, fetch_weights, read_local

    network = networks.build_network(name.network, size, seed=seed if name.random else None)
    found: Mapping[str, torch.Tensor]
    if name.random:
        if weights != "auto":
            raise UsageError(
                f"random:{name.network} draws its weights from seed; leave out weights"
            )
        found, origin = network.state_dict(), f"random, seed {seed}"
    elif isinstance(weights, WeightsSource):
        fetched = fetch_weights(name.network, weights, read_bytes=read_bytes or read_local)
        found, origin = fetched.state, fetched.origin
    elif isinstance(weights, Mapping):
        found, origin = weights, "tensors handed in"
    else:
        raise UsageError(f"weights must be a source or tensors by name, got {type(weights)}")
    rename = networks.old_densenet_name if name.network == "densenet121" else str
    state = select_tensors(found, networks.expected_tensors(network), origin, rename)
    return state, networks.vector_length(networks.fill(network, state), name.network, size), origin
