"""`consensus`: what many clusterings of the same images agree on."""

import numpy as np
import torch

from artcluster.clustering.agglomeration import cut
from artcluster.clustering.cells import Cells, group_means, make_cells
from artcluster.clustering.consensus import ConsensusConfig, consensus
from artcluster.clustering.principal_space import principal_space
from artcluster.clustering.prototypes import Prototypes
from artcluster.clustering.row_chunks import row_chunks
from artcluster.stages.job import Job
from artcluster.stages.methods.made_model import made_model
from artcluster.stages.methods.space import codes_of
from artcluster.stages.methods.training_set import Fitted, TrainingSet

_ROWS = 16384


def fit_consensus(job: Job, data: TrainingSet) -> Fitted:
    """Merge images, or small cells of them, by how often clusterings put them together.

    A later image goes to the cluster of the nearest image, or cell, of the fit.
    """
    settings = job.config.cluster
    space = principal_space(data.x_ND, settings.space_dim)
    z_ND = codes_of(space, data.x_ND)
    with job.timings.stage("cells"):
        cells = make_cells(z_ND, max(settings.cells, settings.k), settings.seed)
    config = ConsensusConfig(k=settings.k, rounds=settings.rounds, seed=settings.seed)
    with job.timings.stage("consensus", config.most_clusterings, "clusterings"):
        found = consensus(
            z_ND,
            _directions(data.x_ND, cells),
            cells,
            config,
            lambda count: job.progress.advance("consensus", count),
        )
    rows_L = cut(found.tree, min(settings.k, found.tree.leaves))
    model = made_model(
        settings,
        data,
        space,
        group_means(cells.means_LD, cells.sizes_L, rows_L),
        Prototypes(torch.from_numpy(cells.means_LD), torch.from_numpy(rows_L)),
    )
    agreement = None if np.isnan(found.agreement) else found.agreement
    facts = {"cells": found.tree.leaves, "agreement": agreement, "settled": found.settled}
    return Fitted(model, {"consensus": facts})


def _directions(x_ND: np.ndarray, cells: Cells) -> np.ndarray:
    """Return the mean directions of the cells' vectors, at length one, float32 (L, D)."""
    sums_LD = torch.zeros(len(cells.sizes_L), x_ND.shape[1], dtype=torch.float64)
    for a, b in row_chunks(len(x_ND), _ROWS):
        rows = torch.nn.functional.normalize(torch.from_numpy(x_ND[a:b]).double(), dim=1)
        sums_LD.index_add_(0, torch.from_numpy(cells.cells_N[a:b]), rows)
    return torch.nn.functional.normalize(sums_LD, dim=1).float().numpy()
