"""The genre study: how well an autoencoder reconstructs each genre, and what augmentation does.

Source: Barandooru Janavejirao, Di Maro and Soglia, "Image clustering based on genres using
autoencoder", Figures 11 to 20.
"""

from collections.abc import Mapping
from typing import Any

from artcluster.stages.job import Job
from artcluster.stages.known import choose_archive
from artcluster.stages.studies.genre_data import copies_of_rare, gather_genres
from artcluster.stages.studies.genre_findings import write_genres
from artcluster.stages.studies.genre_results import AUGMENTED, PLAIN, genre_results
from artcluster.stages.studies.genre_training import measured, trained
from artcluster.stages.studies.reconstructions import reconstructed
from artcluster.stages.studies.record import StudySummary, made_once, plan_study

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

    return made_once(job, study, make)
