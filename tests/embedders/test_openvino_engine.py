import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from artcluster.embedders import load, prepare
from artcluster.embedders.networks import build_network, fill
from artcluster.embedders.openvino_engine import (
    ConversionError,
    OpenVinoEmbedder,
    cache_key,
    converted_model,
)
from artcluster.errors import ArtclusterError

CONTRACT, STATE = prepare("random:cae", pixel_policy_id="p", fit="squash")
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 128, 128, 3), dtype=np.uint8)


def _network() -> nn.Module:
    return fill(build_network("cae", (128, 128)), STATE)


def test_of_several_at_once_one_converts_and_all_get_it(tmp_path: Path) -> None:
    converted: list[int] = []

    def network() -> nn.Module:
        converted.append(1)
        return _network()

    with ThreadPoolExecutor(4) as pool:
        models = list(pool.map(lambda _: converted_model(CONTRACT, network, tmp_path), range(4)))
    assert len(converted) == 1
    results = [OpenVinoEmbedder(CONTRACT, m, batch_size=2, threads=1)(PIXELS) for m in models]
    assert all(np.array_equal(results[0], r) for r in results)
    assert not list(tmp_path.glob(".converting-*"))


def test_worker_with_a_converted_network_imports_no_torch(tmp_path: Path) -> None:
    expected = load(CONTRACT, STATE, device="cpu", engine="openvino", cache_dir=tmp_path)(PIXELS)
    np.save(tmp_path / "pixels.npy", PIXELS)
    program = """
import sys
from pathlib import Path
import numpy as np
from artcluster.embedders import Contract, load
folder = Path(sys.argv[1])
def weights():
    raise AssertionError("the weights were asked for")
embedder = load(Contract.from_json(sys.argv[2]), weights, device="cpu", cache_dir=folder)
np.save(folder / "vectors.npy", embedder(np.load(folder / "pixels.npy")))
assert "torch" not in sys.modules, "torch was imported"
assert sys.modules.get("openvino_telemetry") is None, "telemetry was imported"
"""
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), CONTRACT.to_json()], check=True, timeout=120
    )
    assert np.array_equal(np.load(tmp_path / "vectors.npy"), expected)


def test_key_follows_weights_size_and_version() -> None:
    other, _ = prepare("random:cae", pixel_policy_id="p", fit="squash", seed=1)
    smaller, _ = prepare("random:cae", pixel_policy_id="p", fit="squash", input_px=64)
    cropped, _ = prepare("random:cae", pixel_policy_id="p2", fit="crop")
    key = cache_key(CONTRACT, "1")
    assert len({key, cache_key(other, "1"), cache_key(smaller, "1"), cache_key(CONTRACT, "2")}) == 4
    assert cache_key(cropped, "1") == key


def test_damaged_cache_names_its_folder(tmp_path: Path) -> None:
    load(CONTRACT, STATE, device="cpu", engine="openvino", cache_dir=tmp_path)
    (xml,) = tmp_path.glob("*/model.xml")
    xml.write_text("<half")
    with pytest.raises(ConversionError, match="remove that folder") as error:
        load(CONTRACT, STATE, device="cpu", engine="openvino", cache_dir=tmp_path)
    assert str(xml.parent) in str(error.value)


class Untraceable(nn.Module):
    """Decides by the number of images, which a trace freezes."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        means = pixels.mean((2, 3)).repeat(1, 11)[:, :32]
        return means if len(pixels) == 2 else -means


def test_conversion_that_gives_other_vectors_is_refused() -> None:
    with pytest.raises(ConversionError, match="cosine distance of 2"):
        converted_model(CONTRACT, Untraceable, None)


def test_broken_weights_are_an_error() -> None:
    broken = {**STATE, "encoder.7.bias": torch.full((32,), torch.inf)}
    with pytest.raises(ArtclusterError, match="3 of 3 vectors"):
        converted_model(CONTRACT, lambda: fill(build_network("cae", (128, 128)), broken), None)
