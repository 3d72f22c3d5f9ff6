import numpy as np

from artcluster.embedders import load, prepare
from artcluster.embedders.embedder import color_histogram
from tests.embedders.conftest import pictures


def test_against_numpys_histogramdd() -> None:
    pixels, _ = pictures(2)
    contract, state = prepare("color-histogram", pixel_policy_id="p", fit="squash")
    assert state == {}
    vectors = load(contract, state)(pixels)
    for image, vector in zip(pixels, vectors, strict=True):
        counts, _ = np.histogramdd(image.reshape(-1, 3), bins=8, range=[(0, 256)] * 3)
        np.testing.assert_allclose(vector**2, counts.ravel() / counts.sum(), atol=1e-7)
        np.testing.assert_allclose(np.linalg.norm(vector), 1, atol=1e-6)


def test_hand_worked_colours() -> None:
    image = np.array([[[0, 0, 31], [0, 0, 32]], [[255, 255, 255], [255, 255, 224]]], np.uint8)
    vector = color_histogram(image)
    assert vector[0] == 0.5
    assert vector[1] == 0.5
    assert vector[511] == np.sqrt(np.float32(0.5))
    assert vector.sum() == vector[[0, 1, 511]].sum()
