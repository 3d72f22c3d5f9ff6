"""Every embedder on real pictures: engines agree, precisions stay within their class."""

from pathlib import Path

import numpy as np
import pytest
import torch

from artcluster.embedders import PRECISION_CLASSES, load, load_state, prepare, save_state
from artcluster.embedders.autoencoders import ConvolutionalAutoencoder
from artcluster.embedders.embedder import cosine_distance
from artcluster.embedders.openvino_engine import TOLERANCE
from artcluster.errors import UsageError
from tests.embedders.conftest import pictures


@pytest.mark.parametrize(
    ("name", "dim", "side_px"),
    [
        ("mobilenet_v2", 1280, 224),
        ("random:vgg16", 512, 96),
        ("random:resnet50", 2048, 96),
        ("random:cae", 32, 128),
        ("random:timm:test_vit", 64, 160),
    ],
)
def test_engines_agree(name: str, dim: int, side_px: int, cache_dir: Path) -> None:
    own_size = name in ("mobilenet_v2", "random:cae", "random:timm:test_vit")
    contract, state = prepare(
        name, pixel_policy_id="p", fit="squash", input_px=None if own_size else side_px
    )
    assert (contract.dim, contract.input_px) == (dim, (side_px, side_px))
    shipped = load_state(save_state(state))
    pixels, _ = pictures(3, side_px)
    by_torch = load(contract, shipped, device="cpu", engine="torch", batch_size=4)
    by_openvino = load(
        contract, shipped, device="cpu", engine="openvino", batch_size=4, cache_dir=cache_dir
    )
    assert by_torch.engine["engine"] == "torch"
    assert by_openvino.engine["engine"] == "openvino"
    a, b = by_torch(pixels), by_openvino(pixels)
    assert a.shape == b.shape == (6, dim)
    assert a.dtype == b.dtype == np.float32
    assert cosine_distance(a, b).max() <= TOLERANCE
    assert cosine_distance(a[:3], a[3:]).min() > 1e-6, "pictures must have vectors of their own"
    assert by_openvino(pixels[:0]).shape == by_torch(pixels[:0]).shape == (0, dim)


def test_precisions_stay_within_their_class() -> None:
    pixels, _ = pictures(6)
    contract, state = prepare("mobilenet_v2", pixel_policy_id="p", fit="squash")
    exact = load(contract, state, device="cpu", engine="torch")(pixels)
    half = load(contract, state, device="cpu", precision="float16")
    assert half.engine["precision"] == "float16"
    assert 0 < cosine_distance(exact, half(pixels)).max() <= PRECISION_CLASSES["float"]

    brain, _ = prepare("mobilenet_v2", pixel_policy_id="p", fit="squash", precision="bfloat16")
    assert brain.embedder_id != contract.embedder_id
    embedder = load(brain, state, device="cpu")
    assert embedder.engine["precision"] == "bfloat16"
    far = cosine_distance(exact, embedder(pixels)).max()
    assert PRECISION_CLASSES["float"] < far <= PRECISION_CLASSES["bfloat16"]


def test_trained_features_tell_drawings_and_constellations_apart(cache_dir: Path) -> None:
    """Nearest neighbours of the same of nine genres: 0.56 of 108, a random network's 0.20.

    The two media alone would prove nothing: colour tells them apart, as a histogram does.
    """
    pixels, genres = pictures(12, label="genre")
    shares = {}
    for name in ("mobilenet_v2", "random:mobilenet_v2"):
        contract, state = prepare(name, pixel_policy_id="p", fit="squash")
        vectors = load(contract, state, device="cpu", cache_dir=cache_dir)(pixels)
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        similarity = unit @ unit.T
        np.fill_diagonal(similarity, -np.inf)
        shares[name] = float((genres[similarity.argmax(axis=1)] == genres).mean())
    assert shares["mobilenet_v2"] > 0.45
    assert shares["random:mobilenet_v2"] < 0.35


def test_normalisation_is_an_option_of_the_contract() -> None:
    with_it, state = prepare("mobilenet_v2", pixel_policy_id="p", fit="squash")
    without, _ = prepare("mobilenet_v2", pixel_policy_id="p", fit="squash", normalize=False)
    assert without.mean == (0, 0, 0)
    assert without.embedder_id != with_it.embedder_id
    pixels, _ = pictures(1)
    mean, std = np.array(with_it.mean), np.array(with_it.std)
    darker = np.round((pixels / 255 * std + mean) * 255).astype(np.uint8)
    same = load(with_it, state, device="cpu", engine="torch")(darker)
    plain = load(without, state, device="cpu", engine="torch")(pixels)
    assert cosine_distance(same, plain).max() < 0.01


def test_random_networks_follow_their_seed() -> None:
    ids = [
        prepare("random:cae", pixel_policy_id="p", fit="squash", seed=seed)[0].embedder_id
        for seed in (0, 0, 1)
    ]
    assert ids[0] == ids[1] != ids[2]


def test_trained_autoencoder_is_handed_in_whole() -> None:
    network = ConvolutionalAutoencoder(seed=3)
    contract, state = prepare(
        "cae", weights=network.state_dict(), pixel_policy_id="p", fit="squash"
    )
    assert all(name.startswith("encoder.") for name in state)
    pixels, _ = pictures(2, 128)
    images = pixels.astype(np.float32).transpose(0, 3, 1, 2) / 255
    with torch.inference_mode():
        expected = network(torch.from_numpy(images))[0].numpy()
    got = load(contract, state, device="cpu", engine="torch")(pixels)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("densenet", {}, "unknown embedder 'densenet'; choose densenet121"),
        ("timm:", {}, "unknown embedder"),
        ("random:color-histogram", {}, "has no weights"),
        ("timm:resnet_of_nobody", {}, "timm has no network 'resnet_of_nobody'; did you mean"),
        ("random:timm:test_vit", {"input_px": 96}, "takes 160×160 px alone"),
        ("random:densenet121", {"input_px": 16}, "cannot take images of 16×16 px"),
        ("random:cae", {"input_px": 100}, "multiple of 8"),
        ("random:cae", {"weights": "package"}, "leave out weights"),
        ("mobilenet_v2", {"precision": "int8"}, "precision must be"),
        ("vgg16", {"weights": "w.pth"}, "need their SHA-256"),
    ],
)
def test_what_cannot_be_prepared_says_why(
    name: str, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        prepare(name, pixel_policy_id="p", fit="squash", **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"engine": "onnx"}, "engine must be"),
        ({"precision": "bfloat16"}, "precision class float"),
        ({"precision": "float16", "engine": "openvino"}, "use engine auto"),
        ({"device": "cuda:99"}, "torch sees"),
        ({"threads": 0}, "at least 1"),
        ({"state": {}}, "hand in the tensors that prepare returned"),
    ],
)
def test_what_cannot_be_loaded_says_why(settings: dict[str, object], message: str) -> None:
    contract, state = prepare("random:cae", pixel_policy_id="p", fit="squash")
    arguments: dict[str, object] = {"state": state, "device": "cpu", **settings}
    with pytest.raises(UsageError, match=message):
        load(contract, **arguments)  # type: ignore[arg-type]


def test_pixels_of_another_size_are_refused() -> None:
    contract, state = prepare("random:cae", pixel_policy_id="p", fit="squash")
    embedder = load(contract, state, device="cpu", engine="torch")
    with pytest.raises(
        ValueError, match=r"\(N, 128, 128, 3\), got uint8 of shape \(1, 64, 64, 3\)"
    ):
        embedder(np.zeros((1, 64, 64, 3), np.uint8))
    with pytest.raises(ValueError, match="got float32"):
        embedder(np.zeros((1, 128, 128, 3), np.float32))
