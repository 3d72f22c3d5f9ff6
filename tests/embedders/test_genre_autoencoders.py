"""The genre paper's networks have the codes that it states."""

import pytest
import torch

from artcluster.embedders.autoencoders import GenreAutoencoder, genre_autoencoder_v2
from artcluster.embedders.networks import build_network
from artcluster.embedders.trained_networks import luma


def count(module: torch.nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())


@pytest.mark.parametrize(
    ("channels", "code", "encoder", "whole"),
    [
        (3, 16 * 16 * 16, 896 + 18_496 + 9_232, 28_624 + 9_280 + 18_464 + 867),
        (1, 16 * 16 * 5, 320 + 18_496 + 2_885, 21_701 + 2_944 + 18_464 + 289),
    ],
)
def test_the_autoencoder(channels: int, code: int, encoder: int, whole: int) -> None:
    network = GenreAutoencoder(channels=channels)
    assert (count(network.encoder), count(network)) == (encoder, whole)
    found, reconstruction = network(torch.rand(2, channels, 128, 128))
    assert found.shape == (2, code) == (2, network.code)
    assert reconstruction.shape == (2, channels, 128, 128)
    assert 128 * 128 * channels // code == 12


@pytest.mark.parametrize(
    ("channels", "code", "encoder", "whole"),
    [
        (3, 300, 896 + 18_496 + 73_856 + 9_830_700, 19_880_239),
        (1, 100, 320 + 18_496 + 73_856 + 3_276_900, 6_771_685),
    ],
)
def test_the_second_autoencoder(channels: int, code: int, encoder: int, whole: int) -> None:
    network = genre_autoencoder_v2(channels=channels)
    assert (count(network.encoder), count(network)) == (encoder, whole)
    found, reconstruction = network(torch.rand(1, channels, 128, 128))
    assert found.shape == (1, code)
    assert reconstruction.shape == (1, channels, 128, 128)
    assert 128 * 128 * channels // code == 163


def test_any_size_keeps_the_ratio() -> None:
    assert GenreAutoencoder(input_px=64).code == 1024
    assert genre_autoencoder_v2(input_px=64).code == 75
    with pytest.raises(ValueError, match="multiple of 8, got 100"):
        GenreAutoencoder(input_px=100)
    with pytest.raises(ValueError, match="3 for colour or 1 for grey, got 4"):
        GenreAutoencoder(channels=4)


@pytest.mark.parametrize("name", ["genre-v2-grey", "genre-cae-grey"])
def test_the_grey_embedders_see_the_luma_of_colours(name: str) -> None:
    network = build_network(name, (32, 32), seed=0)
    pixels = torch.rand(3, 3, 32, 32)
    as_grey = luma(pixels).expand(-1, 3, -1, -1)
    with torch.no_grad():
        torch.testing.assert_close(network(pixels), network(as_grey))
        assert not torch.allclose(network(pixels), network(pixels.flip(1)))
