"""The trainings of a genre study: an autoencoder on crops, and its error on each of them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from artcluster.config.study import GenreStudySettings
from artcluster.embedders import load_state, save_state
from artcluster.embedders.trained_networks import AUTOENCODERS, Autoencoder
from artcluster.images.augment import copies_wanted
from artcluster.runtime.executor import Step
from artcluster.store import Store
from artcluster.training.autoencoders import reconstruction_errors, train_cae
from artcluster.training.classification import validation_rows
from artcluster.training.reconstruction import ReconstructionConfig
from artcluster.training.worker import Worker
from artcluster.workflows.embedding.trained_network import reconstruction_config
from artcluster.workflows.job import WORTH_A_CLUSTER_PICTURES, Job, TrainingPlace, training_backend
from artcluster.workflows.studies.crop_decoding import CropSettings
from artcluster.workflows.studies.crops import (
    AugmentedCopy,
    Crops,
    LoadCrops,
    decode_crops,
    faces_installed,
    load_shards,
)
from artcluster.workflows.studies.record import Study
from artcluster.workflows.studies.sample import LabelledSample, SampleSpec, draw_sample


@dataclass(frozen=True)
class GenreData:
    """The crops of a study, divided.

    Attributes:
        genre_N: Genre of each crop.
        validation_N: Whether it is validated on; all crops of a picture are, or none.
    """

    sample: LabelledSample
    crops: Crops
    genre_N: np.ndarray
    validation_N: np.ndarray
    side_px: int


def gather_genres(job: Job, archive_id: str, label: str) -> tuple[GenreData, TrainingPlace]:
    """Draw, decode and divide the pictures."""
    settings = job.config.study.genres
    wanted = SampleSpec(
        label,
        pool_below=settings.pool_below,
        of_column=settings.style_column if settings.top_styles else None,
        top_values=settings.top_styles,
        max_images=settings.max_images,
        seed=settings.seed,
    )
    sample = draw_sample(job, archive_id, wanted)
    place = training_backend(job, len(sample.content_ids), WORTH_A_CLUSTER_PICTURES)
    faces_of = frozenset(genre.lower() for genre in settings.face_genres)
    if faces_of & {genre.lower() for genre in sample.counts} and not faces_installed():
        job.progress.say(
            "Portraits are not cropped to faces: that needs the extra `faces`, pip install "
            "'artcluster[faces]'. They are taken whole."
        )
    cropping = CropSettings(settings.input_px, settings.slice_px, settings.max_slices, faces_of)
    crops = decode_crops(job, place.executor, archive_id, sample, cropping)
    readable = np.zeros(len(sample.content_ids), bool)
    readable[crops.picture_N] = True
    labels = np.array(sample.labels, dtype=object)
    validation = np.zeros(len(labels), bool)
    validation[readable] = validation_rows(
        labels[readable].tolist(), settings.validation_share, settings.seed
    )
    return (
        GenreData(
            sample,
            crops,
            labels[crops.picture_N],
            validation[crops.picture_N],
            settings.input_px,
        ),
        place,
    )


def copies_of_rare(data: GenreData, settings: GenreStudySettings) -> list[AugmentedCopy]:
    """Return the altered copies that bring rare genres up to the count that is wanted."""
    trained = np.flatnonzero(~data.validation_N)
    genres, counts = np.unique(data.genre_N[trained].astype(str), return_counts=True)
    wanted = copies_wanted(counts.tolist(), settings.augment_to, settings.max_copies)
    copies = []
    for genre, count in zip(genres, wanted, strict=True):
        own = trained[data.genre_N[trained] == genre]
        copies += [AugmentedCopy(int(own[n % len(own)]), n // len(own)) for n in range(count)]
    return sorted(copies, key=lambda copy: (copy.crop, copy.copy))


def trained(
    job: Job,
    study: Study,
    place: TrainingPlace,
    data: GenreData,
    name: str,
    copies: Sequence[AugmentedCopy],
) -> Mapping[str, Any]:
    """Return what a training told, now or in an earlier job; its weights lie beside."""
    settings = job.config.study.genres
    path = study.part(name)
    if job.store.exists(f"{path}.json"):
        return dict(json.loads(job.store.read_bytes(f"{path}.json")))
    numbers = np.flatnonzero(~data.validation_N)
    config = reconstruction_config(settings.network, settings, settings.seed)
    # Both take the same steps: what augmentation does is not to be more training.
    steps = config.steps(-(-len(numbers) // config.batch_size))
    config = replace(config, epochs=1, min_steps=steps, max_steps=steps)
    loop = TrainGenres(
        network_name(settings),
        config,
        data.side_px,
        tuple(
            load_shards(job.store, data.crops, np.flatnonzero(data.validation_N), data.side_px)
            if data.validation_N.any()
            else ()
        ),
        # A function of this process, which one on the cluster cannot call.
        (lambda rows: job.progress.advance(f"train {name}", rows))
        if place.executor is job.local
        else None,
    )
    shards = load_shards(job.store, data.crops, numbers, data.side_px, copies, settings.seed)
    with job.timings.stage(f"train {name}", steps * config.batch_size):
        state, facts = place.train_shards(loop, shards, study.training(name))
    result = {"copies": len(copies), **facts}
    job.store.write_bytes(f"{path}.safetensors", save_state(state))
    job.store.write_bytes(f"{path}.json", json.dumps(result).encode())
    return result


def network_name(settings: GenreStudySettings) -> str:
    """Return the autoencoder's name.

    >>> network_name(GenreStudySettings(colours="grey"))
    'genre-cae-grey'
    """
    return settings.network + ("-grey" if settings.colours == "grey" else "")


@dataclass(frozen=True)
class TrainGenres:
    """The training loop. Picklable, without a listener."""

    network: str
    config: ReconstructionConfig
    side_px: int
    validation: tuple[LoadCrops, ...]
    told: Callable[[int], None] | None

    def __call__(self, worker: Worker) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Train one rank, which validates on its share of the validation crops."""
        side = self.side_px
        network = AUTOENCODERS[self.network](input_px=side, seed=self.config.seed)
        own = [load() for load in self.validation[worker.rank :: worker.world]]
        trained = train_cae(
            worker,
            network,
            self.config,
            row_shape=(side, side, 3),
            validation=own if self.validation else None,
            told=self.told,
        )
        facts = {
            "steps": trained.steps,
            "losses": list(trained.losses),
            "validation_losses": list(trained.validation_losses),
        }
        return trained.state, facts


def measured(
    job: Job, study: Study, place: TrainingPlace, data: GenreData, name: str
) -> np.ndarray:
    """Return the reconstruction error of every crop, float64 (N,)."""
    loads = load_shards(job.store, data.crops, np.arange(len(data.genre_N)), data.side_px)
    step = MeasurePieces(
        job.store,
        f"{study.part(name)}.safetensors",
        network_name(job.config.study.genres),
        data.side_px,
        "cuda" if place.use_gpu else "cpu",
    )
    gpus = 1.0 if place.use_gpu else 0.0
    by_load: dict[int, np.ndarray] = {}
    with job.timings.stage(f"measure {name}", len(data.genre_N), "crops"):
        for number, errors_N in place.executor.stream(
            enumerate(loads),
            [Step("measure", step, gpus=gpus, workers=(1, max(1, place.workers)))],
            stall_timeout_s=job.config.embed.stall_timeout_s,
        ):
            by_load[number] = np.array(errors_N)
            job.progress.advance(f"measure {name}", len(errors_N))
    return np.concatenate([by_load[number] for number in range(len(loads))])


@dataclass(frozen=True)
class MeasurePieces:
    """Measures the reconstruction of crops. Picklable; called once in each worker process."""

    store: Store
    weights: str
    network: str
    side_px: int
    device: str

    def __call__(self) -> Callable[[tuple[int, LoadCrops]], tuple[int, np.ndarray]]:
        """Load the network and return the step: from numbered crops to their errors."""
        device = torch.device(self.device)
        network = load_network(self.store, self.weights, self.network, self.side_px).to(device)

        def measure(item: tuple[int, LoadCrops]) -> tuple[int, np.ndarray]:
            number, load = item
            errors = [
                each.cpu().numpy() for each in reconstruction_errors(network, [load()], device)
            ]
            return number, np.concatenate([np.empty(0), *errors])

        return measure


def load_network(store: Store, weights: str, network: str, side_px: int) -> Autoencoder:
    """Return a trained autoencoder of a study."""
    built = AUTOENCODERS[network](input_px=side_px, seed=0)
    built.load_state_dict(load_state(store.read_bytes(weights)))
    built.eval().requires_grad_(False)
    return built
