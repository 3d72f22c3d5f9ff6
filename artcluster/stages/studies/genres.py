"""The genre study: how well an autoencoder reconstructs each genre, and what augmentation does.

Source: Barandooru Janavejirao, Di Maro and Soglia, "Image clustering based on genres using
autoencoder", Figures 11 to 20.
"""

from dataclasses import replace

from artcluster.schema import STUDIES
from artcluster.stages.job import Job
from artcluster.stages.known import choose_archive
from artcluster.stages.studies.genre_data import copies_of_rare, gather_genres
from artcluster.stages.studies.genre_findings import write_genres
from artcluster.stages.studies.genre_results import AUGMENTED, PLAIN, genre_results
from artcluster.stages.studies.genre_training import measured, trained
from artcluster.stages.studies.reconstructions import reconstructed
from artcluster.stages.studies.record import (
    StudySummary,
    commit_study,
    finished_study,
    plan_study,
)

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
    done = finished_study(job.store, study.study_id)
    if done is not None:
        return done
    with job.lease(f"study={study.study_id}", STUDIES) as lease:
        if (done := finished_study(job.store, study.study_id)) is not None:
            return done
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
        commit_study(job, study, results, lease)
    made = finished_study(job.store, study.study_id)
    assert made is not None
    return replace(made, already=False, seconds=dict(job.timings.seconds))
