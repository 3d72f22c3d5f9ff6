"""The registry of contents behind `Claims`: who embeds what, in about 20 bytes a content."""

from collections.abc import Sequence

import numpy as np

from artcluster.runtime.executor import Claim

_DIGEST = np.dtype("S16")
_COMMITTED = -1
_LOOSE_AT_LEAST = 1 << 18


def digests(content_ids: Sequence[str]) -> np.ndarray:
    """Return the first 128 bits of each content_id as an (n,) array of 16 bytes.

    Two of 100 million contents share them with a probability of 10⁻²³.

    Raises:
        ValueError: A content_id is not 64 hexadecimal digits.
    """
    joined = "".join(content_ids)
    if any(len(content_id) != 64 for content_id in content_ids):
        bad = next(content_id for content_id in content_ids if len(content_id) != 64)
        raise ValueError(f"Expected content_ids of 64 hexadecimal digits, got {bad!r}.")
    whole = np.frombuffer(bytes.fromhex(joined), dtype="S32")
    return whole.view("S16")[::2].copy()


class ClaimTable:
    """Contents and who has them: the store, or a part of this job.

    A sorted array holds the bulk, a dict the latest claims, which are folded into the array when
    they have become many.
    """

    def __init__(self) -> None:
        self._keys = np.empty(0, _DIGEST)
        self._owners = np.empty(0, np.int32)
        self._parts: dict[str, int] = {}
        self._loose: dict[bytes, int] = {}
        self._unsorted: list[np.ndarray] = []

    def add_committed(self, contents: np.ndarray) -> None:
        """Take in digests of contents whose vectors the store has."""
        self._unsorted.append(contents)

    def claim(self, part_id: str, contents: np.ndarray) -> np.ndarray:
        """Answer a part's claim; see `Claims.claim`.

        Args:
            part_id: The asking part.
            contents: (n,) digests.

        Returns:
            (n,) int8 of `Claim` values.
        """
        if self._unsorted:
            self._fold()
        part = self._parts.setdefault(part_id, len(self._parts))
        at = np.searchsorted(self._keys, contents)
        known = np.zeros(len(contents), bool)
        inside = at < len(self._keys)
        known[inside] = self._keys[at[inside]] == contents[inside]
        owners = np.full(len(contents), part, np.int32)
        owners[known] = self._owners[at[known]]
        raw = contents.tobytes()
        for row in np.flatnonzero(~known):
            owners[row] = self._loose.setdefault(raw[16 * row : 16 * row + 16], part)
        if len(self._loose) > max(_LOOSE_AT_LEAST, len(self._keys) // 16):
            self._fold()
        answer = np.full(len(contents), Claim.IN_FLIGHT, np.int8)
        answer[owners == part] = Claim.YOURS
        answer[owners == _COMMITTED] = Claim.COMMITTED
        return answer

    def _fold(self) -> None:
        """Merge loose claims and new committed contents into the sorted array."""
        loose = np.frombuffer(b"".join(self._loose), _DIGEST)
        claimed = np.fromiter(self._loose.values(), np.int32, len(self._loose))
        committed = np.concatenate([np.empty(0, _DIGEST), *self._unsorted])
        keys = np.concatenate([self._keys, committed, loose])
        owners = np.concatenate(
            [self._owners, np.full(len(committed), _COMMITTED, np.int32), claimed]
        )
        order = np.argsort(keys, kind="stable")
        self._keys, self._owners = keys[order], owners[order]
        self._loose.clear()
        self._unsorted.clear()
