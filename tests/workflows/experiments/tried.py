"""A small archive with metadata, embedded, for trials: nothing in it is clustered yet."""

import csv
from pathlib import Path
from typing import Any

from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.job import Job
from tests.workflows.jobs import copy_pictures, make_job

PICTURES = 24
QUICK: dict[str, Any] = {
    "embed__input_px": 32,
    "embed__cae__min_steps": 0,
    "embed__cae__max_steps": 4,
    "embed__cae__batch_size": 8,
    "cluster__restarts": 2,
    "cluster__dcec__max_iterations": 4,
    "cluster__dcec__refresh_every": 2,
    "cluster__dcec__batch_size": 8,
    "cluster__dcec__tolerance": 0,
    # So little is refined that the guard has nothing to say.
    "cluster__dcec__learning_rate": 1e-5,
    "cluster__dcec__guard_margin": 2,
    "trials__resamples": 2,
    "map__iterations": 20,
    "map__early_iterations": 10,
}


def make_tried(folder: Path) -> Path:
    """Embed 24 pictures by their colours; a third has no style, years are written in two ways."""
    pictures = copy_pictures(folder / "images", PICTURES)
    with (folder / "works.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "genre", "style", "year"))
        for number, picture in enumerate(pictures):
            style = ("", "<b>baroque</b>", "cubism")[number % 3]
            year = f"c. {1600 + 5 * number}" if number % 2 else f"{1600 + 5 * number}-05-01"
            genre = ("portrait", "landscape")[number // 3 % 2]
            writer.writerow((picture.name, genre, style, year))
    store = folder / "store"
    job = make_job(store, metadata__source=str(folder / "works.csv"), metadata__join="path")
    embed_archive(job, str(folder / "images"))
    return store


def quick_job(store: Path, **settings: Any) -> Job:
    """Return a job whose fits take a moment."""
    return make_job(store, **{**QUICK, **settings})
