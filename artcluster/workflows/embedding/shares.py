"""The shares of an archive that may be rejected or unread before a job counts as failed."""

from artcluster.config import Config
from artcluster.errors import ArtclusterError, RejectShareError, UnreadShareError
from artcluster.workflows.results import EmbedSummary


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
            "embedded is in the store. `artcluster rejects STORE` lists the files; raise "
            "images.max_reject_share if so many are to be expected."
        )


def check_unread_share(summary: EmbedSummary, allowed_share: float) -> None:
    """Compare the files that could not be read with the share that is allowed.

    Raises:
        UnreadShareError: They are more.
    """
    if summary.unread_share > allowed_share:
        path, why = summary.unread_examples[0]
        raise UnreadShareError(
            f"{summary.unread:,} of {summary.files:,} files could not be read "
            f"({summary.unread_share:.0%}, allowed: {allowed_share:.0%}), such as {path!r}: {why}. "
            "What could be read is in the store. `artcluster rejects STORE` lists the files; the "
            "same command tries them again. Raise archive.max_unread_share if so many are to be "
            "expected."
        )


def check_can_be_clustered(summary: EmbedSummary, config: Config) -> None:
    """Refuse to cluster an archive of which too much could not be read, or nothing can be used.

    Raises:
        UnreadShareError: More files than allowed could not be read.
        RejectShareError: No image is left, and more are rejected than allowed.
        ArtclusterError: No image is left.
    """
    check_unread_share(summary, config.archive.max_unread_share)
    if not summary.images:
        check_reject_share(summary, config.images.max_reject_share)
        raise ArtclusterError(
            "No file of the archive could be used, so there is nothing to cluster: `artcluster "
            "rejects STORE` lists the files with the reasons."
        )
