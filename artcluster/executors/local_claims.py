"""`Claims` in this process."""

import threading
from collections.abc import Iterable, Sequence

import numpy as np

from artcluster.executors.claim_table import ClaimTable, digests


class LocalClaims:
    """A registry for the threads of one process."""

    def __init__(self, committed: Iterable[Sequence[str]]) -> None:
        self._lock = threading.Lock()
        self._table = ClaimTable()
        for batch in committed:
            self._table.add_committed(digests(batch))

    def claim(self, part_id: str, content_ids: Sequence[str]) -> np.ndarray:
        """Claim contents for a part; see `Claims.claim`."""
        with self._lock:
            return self._table.claim(part_id, digests(content_ids))
