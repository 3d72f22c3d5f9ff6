"""`guided`: k-means that is told of a few images what belongs together."""

import numpy as np
import torch

from artcluster.clustering.kmeans.guided import (
    Constraints,
    ContradictionError,
    constrained_kmeans,
    constraints,
    relevant_components,
)
from artcluster.clustering.model.space import Dense, ModelSpace
from artcluster.errors import UsageError
from artcluster.workflows.clustering.methods.base import (
    Fitted,
    Method,
    TrainingSet,
    build_model,
    codes_of,
    direction_space,
)
from artcluster.workflows.clustering.supervision import (
    Supervision,
    check_supervision,
    read_supervision,
)
from artcluster.workflows.job import Job


def fit_guided(job: Job, data: TrainingSet) -> Fitted:
    """Shrink what varies among images that belong together, then fit k-means under the hints.

    New images have no hints: they go to the nearest centroid, and so does an image that was told
    of, whose cluster may be another than it was told; how many are as told is recorded.

    Raises:
        UsageError: No hints are given, they contradict one another, none is of these images,
            which may be faces, or all vectors are alike.
    """
    settings = job.config.cluster
    check_supervision(settings, data.embedder_id)
    hints = read_supervision(job, data.archive_id)
    assert hints is not None
    given = _constraints(hints, data)
    space = direction_space(data, settings.space_dim)
    metric_DD = relevant_components(codes_of(space, data.x_ND), given.groups)
    layer = (torch.from_numpy(metric_DD.astype(np.float32)), torch.zeros(len(metric_DD)))
    space = ModelSpace(space.dim, (*space.steps, Dense((layer,))))
    with job.timings.stage("k-means"):
        found = constrained_kmeans(
            codes_of(space, data.x_ND),
            settings.k,
            given,
            restarts=settings.restarts,
            seed=settings.seed,
        )
    model = build_model(settings, data, space, found.centroids_KD)
    told = given.rows
    now = model.predict(data.x_ND[told]).cluster
    facts = {
        "images": len(told),
        "groups": len(given.groups),
        "broken": found.broken,
        "as_told_share": float((now == found.labels_N[told]).mean()),
    }
    return Fitted(model, {"hints": facts, "iterations": found.iterations})


def _constraints(hints: Supervision, data: TrainingSet) -> Constraints:
    contents = data.content_ids.to_pylist()
    told = hints.contents
    row: dict[str, int] = {}
    must = []
    for number, content in enumerate(contents):
        if content in told and row.setdefault(content, number) != number:
            # A content that counts several times is there so often, and belongs to itself.
            must.append((row[content], number))
    if not row:
        raise UsageError("none of the images that cluster.hints names is among those to cluster")
    labels = {row[content]: label for content, label in hints.labels.items() if content in row}
    must += [(row[a], row[b]) for a, b in hints.must if a in row and b in row]
    cannot = [(row[a], row[b]) for a, b in hints.cannot if a in row and b in row]
    try:
        return constraints(labels, must, cannot)
    except ContradictionError as wrong:
        one, other = (contents[row] for row in wrong.rows)
        raise UsageError(
            f"cluster.hints contradict themselves: the contents {one} and {other} must be apart, "
            "but belong together by other rows"
        ) from wrong


METHODS = (
    Method(
        name="guided",
        summary="k-means that is told of a few images what belongs together",
        fit=fit_guided,
        settings=("space_dim", "restarts", "hints"),
    ),
)
