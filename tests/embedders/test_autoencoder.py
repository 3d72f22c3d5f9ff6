import numpy as np
import pytest
import torch

from artcluster.embedders.autoencoders import (
    ConvolutionalAutoencoder,
    SameConv2d,
    SameConvTranspose2d,
)


def test_published_network_has_the_stated_parameters_and_shapes() -> None:
    network = ConvolutionalAutoencoder()
    assert sum(p.numel() for p in network.parameters()) == 2_384_931
    assert sum(p.numel() for p in network.encoder.parameters()) == 1_176_160
    code, reconstruction = network(torch.rand(2, 3, 128, 128))
    assert code.shape == (2, 32)
    assert reconstruction.shape == (2, 3, 128, 128)


@pytest.mark.parametrize("kernel", [3, 5])
def test_padding_is_kerass(kernel: int) -> None:
    """Keras pads kernel − 2 on even sizes at stride 2, the odd zero at the end."""
    layer = SameConv2d(1, 1, kernel).double()
    image = np.random.default_rng(0).normal(size=(6, 8))
    weight = layer.conv.weight.detach().numpy()[0, 0]
    bias = layer.conv.bias.item()  # type: ignore[union-attr]
    total = (3 - 1) * 2 + kernel - 6
    before = total // 2
    padded = np.pad(image, (before, total - before))
    expected = np.array(
        [
            [
                (padded[2 * r : 2 * r + kernel, 2 * c : 2 * c + kernel] * weight).sum() + bias
                for c in range(4)
            ]
            for r in range(3)
        ]
    )
    got = layer(torch.from_numpy(image)[None, None])[0, 0].detach().numpy()
    np.testing.assert_allclose(got, expected, atol=1e-12)


@pytest.mark.parametrize("kernel", [3, 5])
def test_transposed_is_the_adjoint(kernel: int) -> None:
    conv = SameConv2d(2, 3, kernel).double()
    transposed = SameConvTranspose2d(3, 2, kernel).double()
    with torch.no_grad():
        conv.conv.bias.zero_()  # type: ignore[union-attr]
        transposed.conv.bias.zero_()  # type: ignore[union-attr]
        transposed.conv.weight.copy_(conv.conv.weight)
        x = torch.randn(1, 2, 8, 8, dtype=torch.float64)
        y = torch.randn(1, 3, 4, 4, dtype=torch.float64)
        left = (conv(x) * y).sum()
        right = (x * transposed(y)).sum()
    torch.testing.assert_close(left, right)


def test_weights_are_glorot_uniform_and_follow_the_seed() -> None:
    one, same, other = (ConvolutionalAutoencoder(seed=s).state_dict() for s in (0, 0, 1))
    assert torch.equal(one["encoder.7.weight"], same["encoder.7.weight"])
    assert not torch.equal(one["encoder.7.weight"], other["encoder.7.weight"])
    weight = one["encoder.2.conv.weight"]
    limit = (6 / (32 * 25 + 64 * 25)) ** 0.5
    assert 0.99 * limit < weight.abs().max() <= limit
    assert weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.02)
    assert all(p.abs().max() == 0 for name, p in one.items() if name.endswith("bias"))


@pytest.mark.parametrize("size", [0, 100])
def test_size_must_be_a_multiple_of_eight(size: int) -> None:
    with pytest.raises(ValueError, match=f"multiple of 8, got {size}"):
        ConvolutionalAutoencoder(input_px=size)
