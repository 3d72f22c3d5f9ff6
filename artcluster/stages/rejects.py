"""When too many pictures are rejected to call a job a success."""

from artcluster.errors import RejectShareError
from artcluster.stages.summary import EmbedSummary


def check_reject_share(summary: EmbedSummary, allowed_share: float) -> None:
    """Compare a job's rejects with the share that is allowed.

    Raises:
        RejectShareError: More are rejected.
    """
    if summary.reject_share > allowed_share:
        rejected = sum(summary.rejects.values())
        reasons = ", ".join(f"{why}: {count}" for why, count in summary.rejects.items())
        raise RejectShareError(
            f"{rejected} of {rejected + summary.images} images are rejected "
            f"({summary.reject_share:.0%}, allowed: {allowed_share:.0%}). {reasons}. What could be "
            "embedded is in the store. Look at the rejects with `artcluster status`, and raise "
            "images.max_reject_share if they are to be expected."
        )
