"""Which cluster a point of a model's space belongs to, where its nearest centroid does not decide.

A model without a rule assigns the nearest centroid. Rules keep points of the space beside the
centroids, so that clusters may have any shape.
"""

from collections.abc import Mapping

from artcluster.clustering.core_reach import CoreReach
from artcluster.clustering.density_reach import DensityReach
from artcluster.clustering.prototypes import Prototypes

Rule = Prototypes | DensityReach | CoreReach
RULES: Mapping[str, type[Prototypes] | type[DensityReach] | type[CoreReach]] = {
    rule.kind: rule for rule in (Prototypes, DensityReach, CoreReach)
}
