"""DenseNet121 on real trained weights, through the path that a user's file takes."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional
from torchvision.models import densenet121

from artcluster.embedders import load, prepare
from artcluster.embedders.embedder import cosine_distance
from artcluster.embedders.state import save_state
from artcluster.errors import UsageError
from tests.embedders.conftest import pictures
from tests.embedders.font_weights import font_densenet121


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return font_densenet121()


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_pooled_features_equal_torchvisions_own(
    weights: dict[str, torch.Tensor], suffix: str, tmp_path: Path, cache_dir: Path
) -> None:
    assert "classifier.weight" in weights
    file = tmp_path / f"font.{suffix}"
    if suffix == "pth":
        torch.save(weights, file)
    else:
        file.write_bytes(save_state(weights))
    contract, state = prepare(
        "densenet121",
        weights=str(file),
        weights_sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        pixel_policy_id="p",
        fit="squash",
    )
    assert contract.dim == 1024
    assert not any(name.startswith("classifier") for name in state)

    pixels, _ = pictures(2)
    reference = densenet121(weights=None, num_classes=weights["classifier.weight"].shape[0])
    reference.load_state_dict(weights)
    reference.eval()
    images = torch.from_numpy(pixels.copy()).permute(0, 3, 1, 2) / 255
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    with torch.inference_mode():
        maps = functional.relu(reference.features((images - mean) / std))
        assert maps.shape[1:] == (1024, 7, 7)
        expected = maps.mean((2, 3)).numpy()

    by_torch = load(contract, state, device="cpu", engine="torch")(pixels)
    np.testing.assert_allclose(by_torch, expected, rtol=1e-4, atol=1e-5)
    if suffix == "pth":
        return
    by_openvino = load(contract, state, device="cpu", engine="openvino", cache_dir=cache_dir)
    assert cosine_distance(by_openvino(pixels), expected).max() < 1e-4


def test_both_files_are_one_embedder(weights: dict[str, torch.Tensor]) -> None:
    """The identity is of the tensors in use, not of their container or of a classifier."""
    headless = {k: v for k, v in weights.items() if not k.startswith("classifier")}
    ids = {
        prepare("densenet121", weights=w, pixel_policy_id="p", fit="squash")[0].embedder_id
        for w in (weights, headless)
    }
    assert len(ids) == 1


def test_names_of_torchvisions_own_file_are_understood(weights: dict[str, torch.Tensor]) -> None:
    """torchvision's published DenseNet files say `norm.1` where its code says `norm1`."""
    old = {
        name.replace(".norm1.", ".norm.1.")
        .replace(".norm2.", ".norm.2.")
        .replace(".conv1.", ".conv.1.")
        .replace(".conv2.", ".conv.2."): tensor
        for name, tensor in weights.items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    today, _ = prepare("densenet121", weights=weights, pixel_policy_id="p", fit="squash")
    then, _ = prepare("densenet121", weights=old, pixel_policy_id="p", fit="squash")
    assert then == today


def test_missing_tensors_are_named(weights: dict[str, torch.Tensor]) -> None:
    cut = {k: v for k, v in weights.items() if not k.startswith("features.norm5")}
    with pytest.raises(UsageError, match=r"lacks 4 of 604 tensors: features\.norm5\.weight"):
        prepare("densenet121", weights=cut, pixel_policy_id="p", fit="squash")
