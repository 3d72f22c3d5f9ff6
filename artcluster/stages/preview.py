"""An archive listed and compared with the store, with nothing written to it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from artcluster.archive.comparison import Comparison
from artcluster.archive.fetch import Fetcher
from artcluster.config import Config
from artcluster.embedders import is_trained_here
from artcluster.embedders.networks import build_network
from artcluster.location import Location
from artcluster.stages.embedder import ReadyEmbedder, State, contract_and_state, stored_state
from artcluster.stages.job import Job
from artcluster.stages.scanning import Planning, check_not_empty, fetch_settings, resolve_archive
from artcluster.stages.trained_network import input_px


@dataclass(frozen=True)
class Preview:
    """What a job would find before it embeds anything.

    Attributes:
        embedder: The job's; its weights may not be in the store yet.
        state: Its weights, or what reads them.
        comparison: The archive as it is now, against the store.
        fetcher: Reads the archive's files.
    """

    embedder: ReadyEmbedder
    state: State
    comparison: Comparison
    fetcher: Fetcher

    @property
    def skipped(self) -> int:
        """Files left out by name: hidden ones, texts, the excluded."""
        return sum(self.comparison.scan.skipped.values())


@contextmanager
def previewed(job: Job, images: str, embedder: ReadyEmbedder | None = None) -> Iterator[Preview]:
    """List an archive and compare it with the store.

    Args:
        job: What to work with.
        images: Where the archive lies.
        embedder: One that the store has; by default the configured one.

    Raises:
        ArchiveError: The archive cannot be listed.
        UsageError: There are no images, or the embedder cannot be had.
    """
    archive = resolve_archive(images, job.config)
    with job.timings.stage("prepare"):
        if embedder is None:
            embedder, state = _configured_embedder(job.config)
        else:
            state = stored_state(job.store, embedder)
    with tempfile.TemporaryDirectory(prefix="artcluster-preview-") as scratch:
        planning = Planning(
            job.store,
            job.config,
            archive,
            embedder.embedder_id,
            embedder.policy,
            Location.parse(scratch),
        )
        with job.timings.stage("list", unit="files"):
            scan = planning.scan()
        with job.timings.stage("plan"), planning.compared(scan) as comparison:
            check_not_empty(comparison.summary, archive)
            fetcher = Fetcher(archive.location, fetch_settings(job.config))
            yield Preview(embedder, state, comparison, fetcher)


def _configured_embedder(config: Config) -> tuple[ReadyEmbedder, State]:
    untrained = None
    if is_trained_here(config.embed.backbone) and config.embed.weights == "auto":
        # Its cost is that of the trained one, and what has a vector is not known before it is.
        side = input_px(config.embed)
        untrained = build_network(config.embed.backbone, (side, side), seed=0).state_dict()
    contract, state, policy = contract_and_state(config, untrained)
    return ReadyEmbedder(contract, policy, weights_path=""), state
