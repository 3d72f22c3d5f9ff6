"""The fence: a writer whose lease passed to a successor can no longer commit."""

from dataclasses import dataclass

from artcluster.errors import FencedError

_EPOCH_SHIFT = 32


@dataclass(frozen=True)
class Fence:
    """What a lease's holder commits under: one Delta application id a lease, one epoch a holder.

    Every commit of the lease carries the transaction version `epoch << 32 | count`, which only
    grows. Delta itself refuses two concurrent commits of one application id, so that between
    reading the version and committing no other holder can slip in.
    """

    app_id: str
    epoch: int

    def next_version(self, committed: int | None) -> int:
        """Return the transaction version to commit next, given the last one in the table.

        Raises:
            FencedError: A later holder has committed.

        >>> Fence("job", 2).next_version(None) == (2 << 32) + 1
        True
        >>> Fence("job", 2).next_version((2 << 32) + 7) == (2 << 32) + 8
        True
        """
        last = committed or 0
        if last >> _EPOCH_SHIFT > self.epoch:
            raise FencedError(
                f"This job held {self.app_id!r} as its holder number {self.epoch}, but holder "
                f"number {last >> _EPOCH_SHIFT} has committed since: this job was thought dead "
                "and replaced. Nothing of it is committed any more; let the other job finish, "
                "then run this one again if anything is missing."
            )
        return max(last, self.epoch << _EPOCH_SHIFT) + 1

    @classmethod
    def of(cls, lease: str, epoch: int) -> "Fence":
        """Return the fence of a lease's holder."""
        return cls(f"artcluster/{lease}", epoch)

    @staticmethod
    def epoch_of(committed: int | None) -> int:
        """Return the epoch in a table's transaction version; 0 for none."""
        return (committed or 0) >> _EPOCH_SHIFT
