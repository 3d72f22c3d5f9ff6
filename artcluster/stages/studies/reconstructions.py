"""Reconstructions of a genre study beside their originals."""

from collections.abc import Mapping

import numpy as np
import torch

from artcluster.embedders.pixel_input import network_input
from artcluster.stages.job import Job
from artcluster.stages.studies.genre_data import GenreData
from artcluster.stages.studies.genre_gallery import Example
from artcluster.stages.studies.genre_results import PLAIN
from artcluster.stages.studies.genre_training import load_network, network_name
from artcluster.stages.studies.loading import load_numbers
from artcluster.stages.studies.record import Study


def reconstructed(
    job: Job, study: Study, data: GenreData, errors: Mapping[str, np.ndarray]
) -> list[Example]:
    """Reconstruct validation squares of each genre, from its best to its worst."""
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
        squares = load_numbers(job.store, data.pieces, chosen.tolist(), data.side_px)
        pixels = network_input(torch.from_numpy(np.array(squares)), networks[0].channels)
        with torch.no_grad():
            made = [network(pixels)[1] for network in networks]
        found.append(
            Example(
                genre,
                [_bytes(pixels), *map(_bytes, made)],
                [data.sample.paths[data.pieces.picture_N[number]] for number in chosen],
                [[float(errors[name][number]) for name in errors] for number in chosen],
            )
        )
    return found


def _bytes(pixels_NCHW: torch.Tensor) -> np.ndarray:
    """Return pixels as uint8 RGB, (N, H, W, 3); what leaves [0, 1] is clipped."""
    shown = pixels_NCHW.clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1)
    array: np.ndarray = shown.expand(*shown.shape[:3], 3).numpy()
    return array
