"""The embedder `cae`: trained on the archive itself, once, then frozen."""

from pathlib import Path

import numpy as np

from artcluster.schema import EMBEDDINGS
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.embedding.plan import plan_archive
from tests.workflows.jobs import copy_pictures, make_job

CAE = {
    "embed__backbone": "cae",
    "embed__input_px": 32,
    "embed__cae__min_steps": 0,
    "embed__cae__max_steps": 4,
    "embed__cae__batch_size": 8,
}


def test_it_is_trained_once_and_embeds_what_is_added_alike(tmp_path: Path) -> None:
    images = tmp_path / "images"
    copy_pictures(images, 10)
    first = make_job(tmp_path / "store", **CAE)
    done = embed_archive(first, str(images))
    assert "train cae" in first.timings.seconds
    copy_pictures(images, 2, start=12)
    second = make_job(tmp_path / "store", **CAE)
    more = embed_archive(second, str(images))
    assert "train cae" not in second.timings.seconds
    assert (done.embedded, more.embedded) == (10, 2)
    assert more.embedder_id == done.embedder_id
    rows = second.store.table(EMBEDDINGS).read()
    vectors = np.array(rows["embedding"].to_pylist())
    assert vectors.shape == (12, 32)
    assert np.isfinite(vectors).all()
    assert np.ptp(vectors, axis=0).min() > 0


def test_the_seed_makes_another_embedder(tmp_path: Path) -> None:
    copy_pictures(tmp_path / "images", 6)
    ids = set()
    for seed in (0, 0, 1):
        job = make_job(tmp_path / f"store-{len(ids)}", embed__seed=seed, **CAE)
        ids.add(embed_archive(job, str(tmp_path / "images")).embedder_id)
    assert len(ids) == 2


def test_a_dry_run_of_an_untrained_one(tmp_path: Path) -> None:
    copy_pictures(tmp_path / "images", 4)
    counts = plan_archive(make_job(tmp_path / "store", **CAE), str(tmp_path / "images"))
    assert counts.todo == 4
