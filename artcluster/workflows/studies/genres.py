"""Reconstructions of a genre study beside their originals."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from artcluster.embedders.trained_networks import network_input
from artcluster.workflows.archives import choose_archive
from artcluster.workflows.job import Job
from artcluster.workflows.studies.crops import load_numbers
from artcluster.workflows.studies.genre_page import Example, write_genres
from artcluster.workflows.studies.genre_results import AUGMENTED, PLAIN, genre_results
from artcluster.workflows.studies.genre_training import (
    GenreData,
    copies_of_rare,
    gather_genres,
    load_network,
    measured,
    network_name,
    trained,
)
from artcluster.workflows.studies.record import Study, StudySummary, plan_study, run_once


def reconstructed(
    job: Job, study: Study, data: GenreData, errors: Mapping[str, np.ndarray]
) -> list[Example]:
    """Reconstruct validation crops of each genre, from its best to its worst."""
    settings = job.config.study.genres
    networks = [
        load_network(
            job.store, f"{study.part(name)}.safetensors", network_name(settings), data.side_px
        )
        for name in errors
    ]
    found = []
    for genre in data.sample.counts:
        own = np.flatnonzero((data.genre_N == genre) & data.validation_N)
        if not len(own):
            continue
        ranked = own[np.argsort(errors[PLAIN][own], kind="stable")]
        places = np.linspace(0, len(ranked) - 1, min(settings.examples, len(ranked)))
        chosen = ranked[np.unique(np.round(places).astype(int))]
        crops = load_numbers(job.store, data.crops, chosen.tolist(), data.side_px)
        pixels = network_input(torch.from_numpy(np.array(crops)), networks[0].channels)
        with torch.no_grad():
            made = [network(pixels)[1] for network in networks]
        found.append(
            Example(
                genre,
                [_bytes(pixels), *map(_bytes, made)],
                [data.sample.paths[data.crops.picture_N[number]] for number in chosen],
                [[float(errors[name][number]) for name in errors] for number in chosen],
            )
        )
    return found


def _bytes(pixels_NCHW: torch.Tensor) -> np.ndarray:
    """Return pixels as uint8 RGB, (N, H, W, 3); what leaves [0, 1] is clipped."""
    shown = pixels_NCHW.clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1)
    array: np.ndarray = shown.expand(*shown.shape[:3], 3).numpy()
    return array


_NO_RESULT = {"examples": True}


def study_genres(job: Job, archive_id: str | None = None) -> StudySummary:
    """Train an autoencoder on an archive's pictures, without and with augmentation, and compare.

    Each training is kept as it is finished, and goes on from its checkpoint where it was killed.
    The study's row is written last; a study that exists is not made again.

    Raises:
        UsageError: The label is no column, or there are too few pictures.
        LeaseHeldError: Another job makes the same study.
    """
    archive_id = choose_archive(job.store, archive_id)
    settings = job.config.study.genres
    study = plan_study(job, "genres", archive_id, settings, without=_NO_RESULT)

    def make() -> Mapping[str, Any]:
        data, place = gather_genres(job, archive_id, study.label)
        errors, trainings = {}, {}
        for name, copies in ((PLAIN, []), (AUGMENTED, copies_of_rare(data, settings))):
            if name == PLAIN or copies:
                trainings[name] = trained(job, study, place, data, name, copies)
                errors[name] = measured(job, study, place, data, name)
        results = genre_results(study, settings, data, trainings, errors)
        with job.timings.stage("pages"):
            examples = reconstructed(job, study, data, errors)
            write_genres(job, study, results, examples)
        return results

    return run_once(job, study, make)
