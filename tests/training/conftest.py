from collections.abc import Iterator

import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tests run on one thread each: the ranks under test are threads themselves."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    """300 points in 4 well separated groups in 12 dimensions, and their groups."""
    generator = np.random.default_rng(7)
    centres = generator.normal(size=(4, 12)) * 6
    groups = generator.integers(0, 4, size=300)
    points = centres[groups] + generator.normal(size=(300, 12)) * 0.6
    return points.astype(np.float32), groups
