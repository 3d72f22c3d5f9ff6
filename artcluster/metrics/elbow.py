"""The elbow of a curve that falls and flattens, such as inertia over the number of clusters."""

from collections.abc import Sequence

import numpy as np

_LEAST_BEND = 0.05


def elbow(x: Sequence[float], y: Sequence[float]) -> int | None:
    """Return the place where a falling curve bends most, or None where it does not bend.

    Both axes are scaled to 0 … 1; the elbow is where the curve lies farthest below the straight
    line between its ends. Nothing is smoothed: curves over k have a dozen points, and k-means with
    restarts makes them even.

    Args:
        x: Ascending.
        y: A value each.

    Source: Satopää et al. 2011 (Kneedle), with sensitivity 0: the largest difference is taken. It
    counts from 0.05 on, so that a curve that is nearly straight has no elbow.

    >>> elbow([2, 3, 4, 5, 6], [100, 40, 30, 25, 22])
    1
    >>> elbow([2, 3, 4], [3, 2, 1]) is None
    True
    """
    along, height = np.asarray(x, float), np.asarray(y, float)
    if len(along) < 3 or not np.isfinite(height).all() or height[0] <= height[-1]:
        return None
    chord = (along - along[0]) / (along[-1] - along[0])
    fallen = (height[0] - height) / (height[0] - height[-1])
    bend = fallen - chord
    place = int(bend.argmax())
    return place if bend[place] >= _LEAST_BEND else None
