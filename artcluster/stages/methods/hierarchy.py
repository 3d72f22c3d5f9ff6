"""`hierarchy`: many small clusters merged into ever larger ones; the model keeps the tree."""

import safetensors.numpy
import torch

from artcluster.clustering.agglomeration import cut, top_merges
from artcluster.clustering.cells import group_means, make_cells
from artcluster.clustering.hierarchy import Hierarchy, ward_hierarchy
from artcluster.clustering.model_space import ModelSpace
from artcluster.clustering.principal_space import principal_space
from artcluster.clustering.prototypes import Prototypes
from artcluster.stages.digest import digest
from artcluster.stages.job import Job
from artcluster.stages.methods.made_model import made_model
from artcluster.stages.methods.space import codes_of
from artcluster.stages.methods.training_set import Fitted, TrainingSet


def fit_hierarchy(job: Job, data: TrainingSet) -> Fitted:
    """Cut the hierarchy of the vectors at k; it is built once for every k, and kept in the store.

    Raises:
        UsageError: All vectors point one way.
    """
    settings = job.config.cluster
    space = principal_space(data.x_ND, settings.space_dim)
    found = _hierarchy(job, data, space)
    k = min(settings.k, found.tree.leaves)
    rows_L = cut(found.tree, k)
    model = made_model(
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
    path = f"pretrained/hierarchy-{digest(facts)}.safetensors"
    if job.store.exists(path):
        return Hierarchy.from_arrays(safetensors.numpy.load(job.store.read_bytes(path)))
    with job.timings.stage("cells"):
        cells = make_cells(codes_of(space, data.x_ND), most, settings.seed)
    with job.timings.stage("merge"):
        found = ward_hierarchy(cells)
    job.store.write_bytes(path, safetensors.numpy.save(found.arrays()))
    return found
