import pytest
import torch

from artcluster.clustering.chunks import ChunkPool


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_pools_that_overlap_leave_torch_its_threads(two_threads):
    first, second = ChunkPool(1), ChunkPool(1)
    first.__enter__()
    second.__enter__()
    assert ChunkPool().threads == 2, "of the process, not of the pools that are open"
    first.__exit__(None, None, None)
    assert torch.get_num_threads() == 1
    second.__exit__(None, None, None)
    assert torch.get_num_threads() == 2
