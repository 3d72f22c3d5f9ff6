"""Sizing: hand-worked cases, and settings that the config loader takes."""

import dataclasses

import pytest
import yaml

from artcluster.config import Config, load_config
from artcluster.errors import UsageError
from artcluster.runtime.executor import Hardware
from artcluster.workflows.embedding.sizing import JOB_SHARE, Rates, Sizing, Work, size
from artcluster.workflows.embedding.throughput import REFERENCE_RATES, reference_rate

WORK = Work(1_000_000, 400_000, 3_000_000, 224, 1024)
RATES = Rates(0.01, 0.1)


def sized(machines: Hardware, rates: Rates = RATES, work: Work = WORK) -> Sizing:
    return size(work, rates, machines, Config())


def test_decoding_and_embedding_share_the_cpus() -> None:
    # 16 CPUs and 0.11 s of CPU an image are 145.5 images a second, of which a job reaches 0.85.
    found = sized(Hardware(1, 16))
    assert found.images_per_s == pytest.approx(16 / 0.11 * JOB_SHARE)
    assert found.hours == pytest.approx(1_000_000 / found.images_per_s / 3600)
    # 10/11 of 16 CPUs are 14.5, in workers of two threads: 7, which leaves two for decoding.
    assert (found.embed_workers, found.decode_workers) == (7, 2)
    assert found.bound_by == "embedding"
    assert sized(Hardware(4, 16)).images_per_s == pytest.approx(4 * found.images_per_s)


def test_gpus_wait_for_decoding() -> None:
    machines = Hardware(1, 16, gpus=2)
    found = sized(machines, Rates(0.01, 1 / 3896))
    assert found.bound_by == "decoding"
    assert found.images_per_s == pytest.approx(14 / 0.01 * JOB_SHARE)
    slow = sized(machines, Rates(0.01, 0.01))
    assert slow.bound_by == "embedding"
    assert slow.images_per_s == pytest.approx(2 / 0.01 * JOB_SHARE)


@pytest.mark.parametrize("cpus", [1, 2, 3, 64])
@pytest.mark.parametrize("gpus", [0, 1, 8])
@pytest.mark.parametrize("rates", [Rates(0.001, 1.0), Rates(1.0, 0.001)])
@pytest.mark.parametrize("memory_bytes", [None, 2 << 30, 256 << 30])
def test_the_loader_takes_what_is_proposed(
    cpus: int, gpus: int, rates: Rates, memory_bytes: int | None, tmp_path
) -> None:
    found = sized(Hardware(3, cpus, gpus, memory_bytes), rates)
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(found.settings))
    config = load_config(tmp_path / "settings.yaml")
    assert config.embed.max_workers == 3 * found.embed_workers >= 3
    assert config.embed.gpus_per_worker == (1 if gpus else 0)
    assert found.images_per_s > 0


def test_needs_grow_with_the_work() -> None:
    small, large = (
        sized(Hardware(1, 16), work=dataclasses.replace(WORK, images=images))
        for images in (100_000, 100_000_000)
    )
    assert large.driver_bytes > small.driver_bytes
    assert large.settings["embed"]["part_images"] > small.settings["embed"]["part_images"]
    assert large.vector_bytes == 1000 * small.vector_bytes
    assert large.requests["reads"] > 100_000_000
    assert any("not run by this project" in remark for remark in large.remarks)


def test_too_little_memory_is_said() -> None:
    assert any("needs about" in remark for remark in sized(Hardware(1, 16, 0, 4 << 30)).remarks)
    assert not sized(Hardware(1, 16, 0, 256 << 30)).remarks


def test_every_figure_of_a_gpu_has_a_source() -> None:
    assert all(figure.source for gpu in REFERENCE_RATES.values() for figure in gpu.values())
    assert reference_rate("rtx4090", "random:densenet121") == reference_rate(
        "rtx4090", "densenet121"
    )
    with pytest.raises(UsageError, match="rtx4090"):
        reference_rate("abacus", "densenet121")
