import numpy as np
import pytest
import torch
from torch import nn

from artcluster.embedders.contract import Contract
from artcluster.embedders.torch_engine import TorchEmbedder, resolve_device
from artcluster.errors import ArtclusterError, UsageError

CONTRACT = Contract(
    name="fake",
    network="fake",
    dim=3,
    input_px=(4, 4),
    mean=(0.1, 0.2, 0.3),
    std=(0.5, 0.4, 0.2),
    fit="squash",
    pixel_policy_id="p",
    weights_sha256="",
)
PIXELS = np.random.default_rng(0).integers(0, 256, (23, 4, 4, 3), dtype=np.uint8)
EXPECTED = (PIXELS / 255 - CONTRACT.mean).mean((1, 2)) / CONTRACT.std


class FakeSmallGpu(nn.Module):
    """Averages colours, and runs out of memory as a GPU does past `fits` images."""

    def __init__(self, fits: int) -> None:
        super().__init__()
        self.fits = fits
        self.tried: list[int] = []

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.tried.append(len(pixels))
        if len(pixels) > self.fits:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return pixels.mean((2, 3))


class Overflowing(nn.Module):
    """A layer whose results pass float16's 65,504 where a pixel is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3, bias=False)
        self.layer.weight.data = torch.eye(3) * 100_000.0

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layer(pixels.mean((2, 3)))
        return out


def _embedder(network: nn.Module, **settings: object) -> TorchEmbedder:
    defaults: dict[str, object] = {
        "device": "cpu",
        "precision": "float32",
        "batch_size": 16,
        "threads": 1,
    }
    return TorchEmbedder(CONTRACT, network, **{**defaults, **settings})  # type: ignore[arg-type]


def test_scales_and_normalises_and_splits_into_batches() -> None:
    network = FakeSmallGpu(fits=100)
    vectors = _embedder(network)(PIXELS)
    np.testing.assert_allclose(vectors, EXPECTED, atol=1e-6)
    assert vectors.dtype == np.float32
    assert network.tried == [16, 7]


def test_batch_that_does_not_fit_is_halved_and_stays_so() -> None:
    network = FakeSmallGpu(fits=5)
    embedder = _embedder(network)
    np.testing.assert_allclose(embedder(PIXELS), EXPECTED, atol=1e-6)
    assert network.tried == [16, 8, 4, 4, 4, 4, 4, 3]
    network.tried.clear()
    np.testing.assert_allclose(embedder(PIXELS[:9]), EXPECTED[:9], atol=1e-6)
    assert network.tried == [4, 4, 1]


def test_not_even_one_image_fits() -> None:
    with pytest.raises(ArtclusterError, match="one image of 4×4 px does not fit"):
        _embedder(FakeSmallGpu(fits=0))(PIXELS)


def test_images_that_overflow_float16_are_computed_in_float32() -> None:
    pixels = np.zeros((3, 4, 4, 3), np.uint8)
    pixels[1] = 255
    exact = _embedder(Overflowing())(pixels)
    assert exact.max() > 65_504
    np.testing.assert_allclose(
        _embedder(Overflowing(), precision="float16")(pixels), exact, rtol=1e-3
    )


def test_broken_weights_are_an_error() -> None:
    network = Overflowing()
    network.layer.weight.data[0, 0] = torch.nan
    with pytest.raises(ArtclusterError, match="23 of 23 vectors"):
        _embedder(network)(PIXELS)


def test_a_compiled_network_sees_one_shape_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake compiler that, as torch's with static shapes, would compile anew for each."""
    monkeypatch.setattr(torch, "compile", lambda module, dynamic: module)
    network = FakeSmallGpu(fits=100)
    vectors = _embedder(network, compile=True)(PIXELS)
    np.testing.assert_allclose(vectors, EXPECTED, atol=1e-6)
    assert network.tried == [16, 16]


def test_torchs_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    seen: list[int] = []
    network = FakeSmallGpu(fits=100)
    network.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    _embedder(network, threads=before + 1)(PIXELS[:1])
    assert seen == [before + 1]
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("device", ["tpu", "mps", "cuda:99"])
def test_devices_that_are_not_here(device: str) -> None:
    with pytest.raises(UsageError, match="device"):
        resolve_device(device)
