"""TEMI: heads that learn from their own slow average which neighbours belong together.

Frozen vectors go through several heads, each of which says how surely a vector belongs to each of K
clusters. A head (the student) is taught by the moving average of itself (the teacher) that a vector
and one of its nearest neighbours belong to one cluster. Pairs on which the teachers agree count for
more. The head with the lowest loss is the result.

Source: Adaloglou, Michels, Kalisch & Kollmann 2023, "Exploring the Limits of Deep Image Clustering
using Pretrained Models" (arXiv 2303.17896). Heads are its own (two layers, length one, a linear
layer), with ReLU where it has GELU, because a model's layers have it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class TemiConfig:
    """How to train.

    Attributes:
        clusters: K.
        heads: How many learn side by side.
        hidden: Widths of a head's two layers.
        beta: 1 is the plain mutual information; below it, the paper's, clusters of other sizes
            are more welcome.
        temperature: The outputs are divided by it before the softmax.
        steps: Batches to learn from.
        batch_size: Vectors a batch, each with one neighbour.
        learning_rate: AdamW's.
        weight_decay: AdamW's.
        momentum: What the teacher keeps of itself at each step.
        prior_momentum: What the estimate of the clusters' shares keeps of itself.
        seed: Seeds weights and batches.
    """

    clusters: int
    heads: int
    hidden: tuple[int, int] = (512, 256)
    beta: float
    temperature: float = 0.1
    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 1e-4
    momentum: float = 0.996
    prior_momentum: float = 0.9
    seed: int


class Heads(nn.Module):
    """Several heads as batched matrices: (H, in, out)."""

    def __init__(self, dim: int, config: TemiConfig) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(config.seed)
        widths = (dim, *config.hidden, config.clusters)
        self.weights = nn.ParameterList(
            torch.randn(config.heads, takes, gives, generator=generator) / takes**0.5
            for takes, gives in pairwise(widths)
        )
        self.biases = nn.ParameterList(
            torch.zeros(config.heads, 1, gives) for gives in widths[1:-1]
        )
        self.temperature = config.temperature

    def forward(self, x_ND: Tensor) -> Tensor:
        """Return the shares of the clusters, (H, N, K)."""
        z_HND = x_ND.expand(len(self.weights[0]), *x_ND.shape)
        z_HND = torch.relu(torch.baddbmm(self.biases[0], z_HND, self.weights[0]))
        z_HND = torch.baddbmm(self.biases[1], z_HND, self.weights[1])
        z_HND = nn.functional.normalize(z_HND, dim=2)
        directions = nn.functional.normalize(self.weights[2], dim=1)
        return torch.softmax(torch.bmm(z_HND, directions) / self.temperature, 2)


@dataclass(frozen=True)
class TemiResult:
    """The best head, and how the training went.

    Attributes:
        layers: (weight, bias) of its first two layers, weights (out, in); a vector is scaled to
            length one after them.
        directions_KD: The last layer: outputs are products with these, over the temperature.
        losses_H: Last loss of every head, a moving average.
        best: Which it is.
    """

    layers: tuple[tuple[Tensor, Tensor], ...]
    directions_KD: Tensor
    losses_H: Tensor
    best: int


def temi_loss(
    student: tuple[Tensor, Tensor], teacher: tuple[Tensor, Tensor], prior: Tensor, beta: float
) -> Tensor:
    """Return the loss of each head, (H,), of pairs (x, x') of shape (H, B, K) each.

    −½ w(x, x') [log Σ_c (q_s(c|x) q_t(c|x'))^β / q(c) + the same with x and x' exchanged], averaged
    over pairs, where w is the agreement of the teachers, Σ_c q_t(c|x) q_t(c|x'), averaged over
    heads.

    Args:
        student: Shares of x and of x'.
        teacher: The same of the teacher, without gradients.
        prior: Shares of the clusters by the teacher, (H, 1, K).
        beta: The exponent.

    Source: arXiv 2303.17896, Eq. 5, 7 and 8.

    >>> certain = torch.tensor([[[1.0, 0.0]]])
    >>> even = torch.full((1, 1, 2), 0.5)
    >>> pair = (certain, certain)
    >>> round(float(temi_loss(pair, pair, even, 1.0)), 4)  # −log 2
    -0.6931
    """
    weight_B = (teacher[0] * teacher[1]).sum(2).mean(0)
    total = torch.zeros(len(prior), device=prior.device)
    for of_student, of_teacher in ((student[0], teacher[1]), (student[1], teacher[0])):
        joint = ((of_student * of_teacher).clamp_min(1e-12) ** beta / prior).sum(2)
        total = total - (weight_B * joint.log()).mean(1) / 2
    return total


def train_temi(
    x_ND: Tensor,
    neighbours_NC: Tensor,
    config: TemiConfig,
    stepped: Callable[[int], None] = lambda _: None,
) -> TemiResult:
    """Train heads on vectors and their nearest neighbours.

    Args:
        x_ND: Vectors, float32, of a mean square about one a coordinate.
        neighbours_NC: Rows of each one's neighbours, int64.
        stepped: Told how many steps more are done, now and then.
    """
    device = x_ND.device
    student, teacher = (Heads(x_ND.shape[1], config).to(device) for _ in range(2))
    teacher.requires_grad_(False)
    optimizer = torch.optim.AdamW(
        student.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    draws = torch.Generator().manual_seed(config.seed + 1)
    prior = torch.full((config.heads, 1, config.clusters), 1 / config.clusters, device=device)
    smooth_H = torch.zeros(config.heads, device=device)
    batch = min(config.batch_size, len(x_ND))
    for step in range(config.steps):
        rows = torch.randint(len(x_ND), (batch,), generator=draws)
        column = torch.randint(neighbours_NC.shape[1], (batch,), generator=draws)
        one, other = x_ND[rows.to(device)], x_ND[neighbours_NC[rows, column].to(device)]
        taught = (teacher(one), teacher(other))
        now = (taught[0] + taught[1]).mean(1, keepdim=True) / 2
        prior = config.prior_momentum * prior + (1 - config.prior_momentum) * now
        loss_H = temi_loss((student(one), student(other)), taught, prior, config.beta)
        optimizer.zero_grad()
        loss_H.sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with torch.no_grad():
            for kept, new in zip(teacher.parameters(), student.parameters(), strict=True):
                kept.lerp_(new, 1 - config.momentum)
            smooth_H += (loss_H - smooth_H) / min(step + 1, 100)
        if (step + 1) % 50 == 0:
            stepped(50)
    best = int(smooth_H.argmin())
    weights = [weight[best].detach().cpu() for weight in teacher.weights]
    biases = [bias[best, 0].detach().cpu() for bias in teacher.biases]
    layers = tuple(
        (weight.T.contiguous(), bias) for weight, bias in zip(weights[:-1], biases, strict=True)
    )
    directions = nn.functional.normalize(weights[2], dim=0).T.contiguous()
    return TemiResult(layers, directions, smooth_H.cpu(), best)
