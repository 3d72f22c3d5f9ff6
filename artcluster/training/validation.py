"""What a classifier makes of the validation images of all ranks."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from artcluster.embedders.fine_tuning import FineTunedNetwork
from artcluster.training.frozen import Draw
from artcluster.training.worker import Worker

_AT_ONCE = 64


@torch.no_grad()
def validated(
    worker: Worker,
    network: FineTunedNetwork,
    features: nn.Module,
    rows: Draw,
    classes: np.ndarray,
) -> tuple[float, torch.Tensor]:
    """Return the summed cross-entropy of all ranks' images, and their confusion matrix.

    Args:
        worker: This rank.
        network: Gives scores to features.
        features: What is trained below them, or nothing.
        rows: This rank's images, or what the frozen part made of them.
        classes: Their classes, int64 (N,).

    Returns:
        The loss, and images by their class and the one told, int64 (C, C).
    """
    count = network.head.out_features
    found = torch.zeros(1 + count * count, dtype=torch.float64, device=worker.device)
    for start in range(0, len(classes), _AT_ONCE):
        wanted = torch.from_numpy(classes[start : start + _AT_ONCE]).to(worker.device)
        scores_NC = network.scores(features(rows(np.arange(start, start + len(wanted)))))
        found[0] += functional.cross_entropy(scores_NC, wanted, reduction="sum")
        cells = wanted * count + scores_NC.argmax(1)
        found[1:] += torch.bincount(cells, minlength=count * count)
    found = worker.reduce(found).cpu()
    return float(found[0]), found[1:].to(torch.int64).view(count, count)
