"""TEMI: its loss against a plain loop, its gradient, and heads that find what is there."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from artcluster.clustering.graphs import nearest_neighbours
from artcluster.metrics.agreement import label_agreement
from artcluster.training.temi import TemiConfig, temi_loss, train_temi


def shares(*shape: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.softmax(torch.randn(*shape, generator=generator, dtype=torch.float64), -1)


def plain_loss(student: tuple, teacher: tuple, prior: torch.Tensor, beta: float) -> torch.Tensor:  # type: ignore[type-arg]
    heads, pairs, k = student[0].shape
    losses = []
    for head in range(heads):
        total = torch.zeros((), dtype=torch.float64)
        for pair in range(pairs):
            weight = sum(
                teacher[0][each, pair, c] * teacher[1][each, pair, c]
                for each in range(heads)
                for c in range(k)
            )
            for one, other in ((student[0], teacher[1]), (student[1], teacher[0])):
                inner = sum(
                    (one[head, pair, c] * other[head, pair, c]) ** beta / prior[head, 0, c]
                    for c in range(k)
                )
                total = total - weight / heads * torch.log(torch.as_tensor(inner)) / 2
        losses.append(total / pairs)
    return torch.stack(losses)


@pytest.mark.parametrize("beta", [0.6, 1.0])
def test_the_loss_and_its_gradient_are_those_of_a_plain_loop(beta: float) -> None:
    students = [shares(2, 3, 4, seed=seed).requires_grad_() for seed in (0, 1)]
    teacher = (shares(2, 3, 4, seed=2), shares(2, 3, 4, seed=3))
    prior = shares(2, 1, 4, seed=4)
    found = temi_loss((students[0], students[1]), teacher, prior, beta)
    expected = plain_loss((students[0], students[1]), teacher, prior, beta)
    torch.testing.assert_close(found, expected)
    ours = torch.autograd.grad(found.sum(), students)
    theirs = torch.autograd.grad(expected.sum(), students)
    torch.testing.assert_close(ours, theirs)


def test_renaming_clusters_changes_nothing() -> None:
    order = torch.tensor([2, 0, 3, 1])
    given = [shares(2, 3, 4, seed=seed) for seed in range(4)]
    prior = shares(2, 1, 4, seed=4)
    renamed = [each[..., order] for each in given]
    torch.testing.assert_close(
        temi_loss((given[0], given[1]), (given[2], given[3]), prior, 0.6),
        temi_loss((renamed[0], renamed[1]), (renamed[2], renamed[3]), prior[..., order], 0.6),
    )


def test_heads_find_digits_and_the_seed_decides() -> None:
    loaded = load_digits()
    chosen = loaded.target < 4
    x, truth = loaded.data[chosen][:400].astype(np.float32), loaded.target[chosen][:400]
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    rows, _ = nearest_neighbours(unit, 10)
    vectors = torch.from_numpy((unit - unit.mean(0)) / unit.std())
    config = TemiConfig(
        clusters=4, heads=8, hidden=(32, 16), steps=150, batch_size=64, learning_rate=3e-3,
        beta=0.6, momentum=0.95, seed=0,
    )  # fmt: skip
    told: list[int] = []
    first, again = (
        train_temi(vectors, torch.from_numpy(rows), config, told.append) for _ in range(2)
    )
    assert sum(told) == 300
    assert torch.equal(first.directions_KD, again.directions_KD)
    assert first.best == int(first.losses_H.argmin())
    (one, one_bias), (two, two_bias) = first.layers
    hidden = torch.relu(vectors @ one.T + one_bias) @ two.T + two_bias
    labels = (torch.nn.functional.normalize(hidden, dim=1) @ first.directions_KD.T).argmax(1)
    assert label_agreement(labels.numpy(), truth.tolist()).nmi > 0.8
