from pathlib import Path

import numpy as np
import pytest
import torch

from artcluster.training.rows import ResidentRows, StreamedRows, place_rows

CPU = torch.device("cpu")


def shards_of(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[:3], rows[3:3], rows[3:10], rows[10:]]


@pytest.mark.parametrize("kind", [ResidentRows, StreamedRows])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_and_chunks(kind: type, dtype: torch.dtype) -> None:
    values = np.arange(40, dtype=np.float32).reshape(20, 2)
    rows = kind(shards_of(values), row_shape=(2,), dtype=dtype, device=CPU)
    order = np.random.default_rng(0).permutation(20)
    rows.arrange(order)
    for start, stop in [(0, 7), (7, 9), (9, 20), (4, 4)]:
        drawn = rows.drawn(start, stop)
        assert drawn.dtype == dtype
        assert np.array_equal(drawn.numpy(), values[order[start:stop]])
    assert np.array_equal(rows.chunk(2, 12).numpy(), values[2:12])
    assert rows.count == 20


def test_the_budget_decides(tmp_path: Path) -> None:
    pictures = np.lib.format.open_memmap(
        tmp_path / "pixels.npy", mode="w+", dtype=np.uint8, shape=(6, 4, 4, 3)
    )
    pictures[:] = np.arange(6 * 48).reshape(6, 4, 4, 3) % 251

    def place(budget: int | None) -> object:
        return place_rows(
            [pictures[:2], pictures[2:]],
            row_shape=(4, 4, 3),
            dtype=torch.uint8,
            device=CPU,
            resident_bytes=budget,
        )

    assert isinstance(place(6 * 48), ResidentRows)
    assert isinstance(place(None), ResidentRows)
    streamed = place(6 * 48 - 1)
    assert isinstance(streamed, StreamedRows)
    streamed.arrange(np.array([5, 0, 3]))
    assert np.array_equal(streamed.drawn(0, 3).numpy(), pictures[[5, 0, 3]])


@pytest.mark.parametrize("budget", [None, 0])
def test_no_shards_are_no_rows(budget: int | None) -> None:
    rows = place_rows([], row_shape=(3,), dtype=torch.float32, device=CPU, resident_bytes=budget)
    rows.arrange(np.empty(0, dtype=np.int64))
    assert rows.count == 0
    assert rows.drawn(0, 0).shape == (0, 3)


def test_read_only_shards_are_taken() -> None:
    values = np.ones((4, 2), dtype=np.float32)
    values.flags.writeable = False
    rows = ResidentRows([values], row_shape=(2,), dtype=torch.float32, device=CPU)
    assert rows.chunk(0, 4).sum() == 8


def test_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="another embedder"):
        place_rows(
            [np.zeros((2, 3), np.float32), np.zeros((2, 4), np.float32)],
            row_shape=(3,),
            dtype=torch.float32,
            device=CPU,
        )
