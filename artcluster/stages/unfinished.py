"""Plans that a job broke off, and that the same command goes on with."""

from collections.abc import Iterator

from artcluster.archive.parts import PartRef
from artcluster.archive.plan import Plan, latest_plans, part_refs, unfinished
from artcluster.config import Config
from artcluster.stages.scanning import done_table, limits_of, rows_of
from artcluster.store import Store

_PIXELS = "pixels-"


def unfinished_plans(store: Store, config: Config) -> Iterator[tuple[Plan, list[PartRef]]]:
    """Yield each unfinished plan with the parts that are left to do."""
    for plan in latest_plans(store.location):
        if plan.embedder_id.startswith(_PIXELS):
            # Pixels for training: they are all there once their list is.
            done = f"{plan.embedder_id.replace('-', '/', 1)}/done.json"
            left = [] if store.exists(done) else list(part_refs(store.location, plan))
        else:
            images = rows_of(store, "images", {})
            embedded = rows_of(
                store, done_table(plan.embedder_id), {"embedder_id": plan.embedder_id}
            )
            left = list(unfinished(store.location, plan, images, embedded, limits_of(config)))
        if left:
            yield plan, left
