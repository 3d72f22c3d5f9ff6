"""CLIP-like networks from a file, against the library's own encode_image and encode_text."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from artcluster.embedders import Contract, load, prepare
from artcluster.embedders.clip import clip_preprocessing
from artcluster.embedders.clip_text import TEMPLATES, TextTower
from artcluster.embedders.weights import WeightsSource, fetch_weights
from artcluster.errors import UsageError
from tests.clip import NAME, TinyClip


@pytest.fixture(scope="module")
def prepared(tiny_clip: TinyClip) -> tuple[Contract, dict[str, torch.Tensor]]:
    return ready(tiny_clip)


def ready(clip: TinyClip, name: str = f"clip:{NAME}", **more: Any) -> Any:
    source = WeightsSource("file", str(clip.weights), clip.sha256)
    settings = {"pixel_policy_id": "v1-crop-scaled", "fit": "crop", "weights": source}
    return prepare(name, **settings | more)


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_pictures_are_encoded_as_by_the_library(
    prepared: tuple[Contract, dict[str, torch.Tensor]], tiny_clip: TinyClip, engine: str
) -> None:
    contract, state = prepared
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    got = load(contract, state, device="cpu", engine=engine)(pixels)
    transform = open_clip.image_transform(32, is_train=False)

    batch = torch.stack([transform(Image.fromarray(each)) for each in pixels])
    with torch.inference_mode():
        expected = tiny_clip.network.encode_image(batch).numpy()
    np.testing.assert_allclose(got, expected, atol=2e-5)


def test_texts_are_encoded_as_by_the_library(
    prepared: tuple[Contract, dict[str, torch.Tensor]], tiny_clip: TinyClip
) -> None:
    contract, state = prepared
    tower = TextTower(contract, state)
    texts = ["a ship at sea", "Ünïcode 東京", "word " * 200]
    with torch.inference_mode():
        tokens = open_clip.get_tokenizer(NAME)(texts)
        expected = tiny_clip.network.encode_text(tokens, normalize=True).numpy()
    np.testing.assert_allclose(tower.texts(texts), expected, atol=1e-6)
    # A word is the mean of its prompts.
    prompts = tower.texts([template.format("a ship") for template in TEMPLATES])
    mean = prompts.mean(axis=0)
    np.testing.assert_allclose(tower.words(["a ship"])[0], mean / np.linalg.norm(mean), atol=1e-6)
    assert tower.scale == pytest.approx(np.exp(8.0))


def test_the_contract_says_network_weights_and_preprocessing(
    prepared: tuple[Contract, dict[str, torch.Tensor]], tiny_clip: TinyClip
) -> None:
    contract, state = prepared
    assert contract.embedder_id.startswith(f"clip.{NAME}-")
    assert contract.dim == 24
    assert contract.input_px == (32, 32)
    assert contract.mean == open_clip.OPENAI_DATASET_MEAN
    assert Contract.from_json(contract.to_json()) == contract
    # Both towers are what is kept and hashed: words are compared with the pictures' vectors.
    assert set(state) == set(tiny_clip.network.state_dict())
    assert ready(tiny_clip, normalize=False)[0].embedder_id != contract.embedder_id
    changed = {name: tensor.clone() for name, tensor in state.items()}
    changed["ln_final.bias"] += 1
    assert ready(tiny_clip, weights=changed)[0].embedder_id != contract.embedder_id
    with pytest.raises(UsageError, match="SHA-256"):
        TextTower(contract, changed)


def test_a_tag_says_how_its_weights_are_used() -> None:
    own = open_clip.get_pretrained_cfg("ViT-B-32", "openai")
    assert clip_preprocessing("clip:ViT-B-32/openai")[1] == own["mean"]
    assert clip_preprocessing("clip:ViT-B-16-SigLIP/webli")[1] == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        (f"clip:{NAME}", {"weights": "auto"}, "names no weights.*--weights-sha256"),
        ("clip:ViT-B-99", {}, "no network 'ViT-B-99'; did you mean one of ViT-B-16"),
        ("clip:ViT-B-32/nobody", {}, "no weights 'nobody'.*openai"),
        (f"clip:{NAME}", {"input_px": 64}, "32×32 px alone"),
        (f"clip:{NAME}", {"weights": "timm"}, "kind auto, clip or a file"),
        (f"random:clip:{NAME}", {"weights": "auto"}, "random words"),
        ("clip:", {}, "unknown embedder"),
    ],
)
def test_what_cannot_be_had_is_told(
    tiny_clip: TinyClip, name: str, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        ready(tiny_clip, name, **more)


def test_weights_of_another_network_or_hash_are_refused(
    tiny_clip: TinyClip, tmp_path: Path
) -> None:
    other = tmp_path / "other.pt"
    torch.save({"features.weight": torch.zeros(2)}, other)
    with pytest.raises(UsageError, match="SHA-256"):
        ready(tiny_clip, weights=str(other), weights_sha256="0" * 64)
    with pytest.raises(UsageError, match=r"lacks .* tensors"):
        ready(tiny_clip, weights={"features.weight": torch.zeros(2)})


def test_without_a_connection_it_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UsageError, match=r"clip:ViT-B-32/openai cannot be fetched.*weights_sha256"):
        fetch_weights("clip:ViT-B-32/openai", WeightsSource("auto"))


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(UsageError, match=r"pip install 'artcluster\[clip\]'"):
        prepare("clip:ViT-B-32/openai", pixel_policy_id="p", fit="crop")
