"""Principal components by passes over shards, against scikit-learn's full decomposition."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA

from artcluster.training.principal_components import (
    PcaConfig,
    PrincipalComponents,
    principal_components,
)
from artcluster.training.solo import SoloWorker
from tests.training.ranks import run_ranks

SHAPE = (12, 12, 3)
EXACT = PcaConfig(components=4, tolerance=3e-7, max_passes=200, seed=0, chunk_rows=7)


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Ninety pictures of six overlaid patterns and some noise."""
    generator = np.random.default_rng(0)
    patterns = generator.normal(size=(6, 12 * 12 * 3)) * np.array([60, 40, 27, 18, 9, 5])[:, None]
    mixed = generator.normal(size=(90, 6)) @ patterns / 3 + generator.normal(size=(90, 432)) * 4
    pixels: np.ndarray = np.clip(mixed + 128, 0, 255).astype(np.uint8).reshape(90, *SHAPE)
    return pixels


@pytest.fixture(scope="module")
def known(pictures: np.ndarray) -> PCA:
    return PCA(4, svd_solver="full").fit(pictures.reshape(90, -1) / 255)


def assert_equal(found: PrincipalComponents, known: PCA, tolerance: float = 1e-4) -> None:
    np.testing.assert_allclose(found.mean_P, known.mean_, atol=1e-6)
    np.testing.assert_allclose(found.variance_C, known.explained_variance_, rtol=tolerance)
    cosines = np.abs((found.components_CP.numpy() * known.components_).sum(1))
    np.testing.assert_allclose(cosines, 1, atol=tolerance)
    share = (found.variance_C / found.total_variance).numpy()
    np.testing.assert_allclose(share, known.explained_variance_ratio_, rtol=tolerance)


def test_equals_scikit_learn(pictures: np.ndarray, known: PCA) -> None:
    shards = [pictures[:50], pictures[50:51], pictures[51:]]
    found = principal_components(SoloWorker(shards), EXACT, row_shape=SHAPE)
    assert found.converged
    assert_equal(found, known)
    largest = found.components_CP.gather(1, found.components_CP.abs().argmax(1, keepdim=True))
    assert (largest > 0).all()


def test_any_number_of_ranks(pictures: np.ndarray, known: PCA) -> None:
    shards = [pictures[:10], pictures[10:]]
    for world in (2, 3):
        for found in run_ranks(
            world, shards, lambda rank: principal_components(rank, EXACT, row_shape=SHAPE)
        ):
            assert_equal(found, known)


class Killed(Exception):
    pass


class DyingWorker(SoloWorker):
    def save_checkpoint(self, state: dict, metrics: object) -> None:  # type: ignore[type-arg]
        super().save_checkpoint(state, {})
        raise Killed


def test_goes_on_where_it_was(pictures: np.ndarray) -> None:
    settings = replace(
        EXACT, tolerance=0.0, max_passes=9, oversampling=0, checkpoint_interval_s=0.0
    )
    whole = principal_components(SoloWorker([pictures]), settings, row_shape=SHAPE)
    dying = DyingWorker([pictures])
    with pytest.raises(Killed):
        principal_components(dying, settings, row_shape=SHAPE)
    resumed = SoloWorker([pictures], checkpoint=dying.checkpoint)
    found = principal_components(resumed, settings, row_shape=SHAPE)
    assert found.passes == whole.passes == 9
    assert not found.converged
    np.testing.assert_array_equal(found.components_CP, whole.components_CP)


def test_fewer_pictures_than_directions(pictures: np.ndarray) -> None:
    settings = replace(EXACT, components=3)
    found = principal_components(SoloWorker([pictures[:5]]), settings, row_shape=SHAPE)
    few = PCA(3, svd_solver="full").fit(pictures[:5].reshape(5, -1) / 255)
    np.testing.assert_allclose(found.variance_C, few.explained_variance_, rtol=1e-3)
    with pytest.raises(ValueError, match="components must be at most 2"):
        principal_components(SoloWorker([pictures[:2]]), settings, row_shape=SHAPE)
    alike = np.repeat(pictures[:1], 8, axis=0)
    same = principal_components(SoloWorker([alike]), settings, row_shape=SHAPE)
    np.testing.assert_allclose(same.variance_C, 0, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"components": 0}, "components must be at least 1"),
        ({"tolerance": -1.0}, "tolerance must be at least 0"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(EXACT, **changes)  # type: ignore[arg-type]
