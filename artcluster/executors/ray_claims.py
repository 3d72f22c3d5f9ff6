"""`Claims` over actors: contents are spread by the first byte of their content_id.

What the actors know is not rebuilt when one dies (they run on the driver's machine, which takes the
job with it): the job ends with an error, and its next start reads the committed contents again.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import ray
from ray.actor import ActorHandle

from artcluster.executors.claim_table import ClaimTable, digests
from artcluster.executors.ray_host import ask

_NAME = "claims"


class RayClaims:
    """A registry over hosts; picklable, so that workers ask it themselves."""

    def __init__(
        self, hosts: Sequence[ActorHandle[Any]], committed: Iterable[Sequence[str]]
    ) -> None:
        self._hosts = list(hosts)
        waiting: list[Any] = [host.keep.remote(_NAME, ClaimTable()) for host in self._hosts]
        for batch in committed:
            contents = digests(batch)
            shard = self._shard(contents)
            for number, host in enumerate(self._hosts):
                mine = contents[shard == number]
                if len(mine):
                    waiting.append(host.call.remote(_NAME, "add_committed", mine))
            waiting = _at_most(waiting, 4 * len(self._hosts))
        ray.get(waiting)

    def claim(self, part_id: str, content_ids: Sequence[str]) -> np.ndarray:
        """Claim contents for a part; see `Claims.claim`."""
        contents = digests(content_ids)
        answer = np.empty(len(contents), np.int8)
        shard = self._shard(contents)
        for number in np.unique(shard):
            rows = shard == number
            answer[rows] = ask(self._hosts[number], _NAME, "claim", part_id, contents[rows])
        return answer

    def _shard(self, contents: np.ndarray) -> np.ndarray:
        first = contents.view(np.uint8).reshape(-1, 16)[:, 0].astype(np.int64)
        return first * len(self._hosts) // 256


def _at_most(waiting: list[Any], count: int) -> list[Any]:
    """Wait until no more than `count` calls are under way, so that batches do not pile up."""
    if len(waiting) <= count:
        return waiting
    done, rest = ray.wait(waiting, num_returns=len(waiting) - count)
    ray.get(done)
    return rest
