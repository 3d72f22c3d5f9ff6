"""`consensus` and `hierarchy`: images, or small cells of them, merged step by step."""

import numpy as np
import safetensors.numpy
import torch

from artcluster.clustering.chunks import row_chunks
from artcluster.clustering.consensus import ConsensusConfig, consensus
from artcluster.clustering.hierarchy import (
    Cells,
    Hierarchy,
    cut,
    group_means,
    make_cells,
    top_merges,
    ward_hierarchy,
)
from artcluster.clustering.model.rules import Prototypes
from artcluster.clustering.model.space import ModelSpace
from artcluster.config import from_settings
from artcluster.store.layout import PRETRAINED
from artcluster.workflows.clustering.methods.base import (
    Fitted,
    Method,
    TrainingSet,
    build_model,
    codes_of,
    direction_space,
)
from artcluster.workflows.job import Job, fingerprint


def fit_hierarchy(job: Job, data: TrainingSet) -> Fitted:
    """Cut the hierarchy of the vectors at k; it is built once for every k, and kept in the store.

    Raises:
        UsageError: All vectors are alike.
    """
    settings = job.config.cluster
    space = direction_space(data, settings.space_dim)
    found = _hierarchy(job, data, space)
    k = min(settings.k, found.tree.leaves)
    rows_L = cut(found.tree, k)
    model = build_model(
        settings,
        data,
        space,
        group_means(found.means_LD, found.sizes_L, rows_L),
        Prototypes(torch.from_numpy(found.means_LD), torch.from_numpy(rows_L), found.tree),
    )
    return Fitted(model, {"leaves": found.tree.leaves, "merges": top_merges(found.tree, k)})


def _hierarchy(job: Job, data: TrainingSet, space: ModelSpace) -> Hierarchy:
    """Return the hierarchy, built now or by an earlier job."""
    settings = job.config.cluster
    most = max(settings.cells, settings.k)
    facts = [settings.space_dim, most, settings.seed, data.embedder_id, data.digest]
    path = PRETRAINED.path(f"hierarchy-{fingerprint(facts)}.safetensors")
    if job.store.exists(path):
        return Hierarchy.from_arrays(safetensors.numpy.load(job.store.read_bytes(path)))
    with job.timings.stage("cells"):
        cells = make_cells(codes_of(space, data.x_ND), most, settings.seed)
    with job.timings.stage("merge"):
        found = ward_hierarchy(cells)
    job.store.write_bytes(path, safetensors.numpy.save(found.arrays()))
    return found


_ROWS = 16384


def fit_consensus(job: Job, data: TrainingSet) -> Fitted:
    """Merge images, or small cells of them, by how often clusterings put them together.

    A later image goes to the cluster of the nearest image, or cell, of the fit.

    Raises:
        UsageError: All vectors are alike.
    """
    settings = job.config.cluster
    space = direction_space(data, settings.space_dim)
    z_ND = codes_of(space, data.x_ND)
    with job.timings.stage("cells"):
        cells = make_cells(z_ND, max(settings.cells, settings.k), settings.seed)
    config = from_settings(ConsensusConfig, settings)
    with job.timings.stage("consensus", config.most_clusterings, "clusterings"):
        found = consensus(
            z_ND,
            _directions(data.x_ND, cells),
            cells,
            config,
            lambda count: job.progress.advance("consensus", count),
        )
    rows_L = cut(found.tree, min(settings.k, found.tree.leaves))
    model = build_model(
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


METHODS = (
    Method(
        name="consensus",
        summary="what many clusterings of the same images agree on",
        fit=fit_consensus,
        settings=("space_dim", "cells", "rounds"),
    ),
    Method(
        name="hierarchy",
        summary="a tree of clusters within clusters, cut at k",
        fit=fit_hierarchy,
        settings=("space_dim", "cells"),
    ),
)
