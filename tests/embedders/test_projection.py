"""The embedder `pca:N`: pixels on principal components."""

import numpy as np
import pytest
import torch

from artcluster.embedders import is_trained_here, load, prepare
from artcluster.errors import UsageError


def test_it_projects_flattened_pixels() -> None:
    generator = np.random.default_rng(0)
    mean = generator.random(16 * 16 * 3, dtype=np.float32)
    components = np.linalg.qr(generator.normal(size=(16 * 16 * 3, 4)))[0].T.astype(np.float32)
    contract, state = prepare(
        "pca:4",
        weights={"mean": torch.from_numpy(mean), "components": torch.from_numpy(components.copy())},
        pixel_policy_id="p",
        fit="squash",
        input_px=16,
    )
    assert (contract.dim, contract.input_px) == (4, (16, 16))
    pixels = generator.integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    expected = (pixels.reshape(5, -1) / 255 - mean) @ components.T
    for engine in ("torch", "auto"):
        vectors = load(contract, state, device="cpu", engine=engine)(pixels)
        np.testing.assert_allclose(vectors, expected, atol=1e-4)


def test_names() -> None:
    assert is_trained_here("pca:3")
    for name in ("pca:", "pca:0", "pca:x"):
        with pytest.raises(UsageError, match="unknown embedder"):
            prepare(name, pixel_policy_id="p", fit="squash")
    with pytest.raises(UsageError, match="no weights to draw"):
        prepare("random:pca:3", pixel_policy_id="p", fit="squash")
    with pytest.raises(UsageError, match="train it on the archive"):
        prepare("pca:3", pixel_policy_id="p", fit="squash")
