"""Loading configs: order of precedence, and errors that name the field."""

from pathlib import Path

import pytest

from artcluster.config import load_config
from artcluster.errors import UsageError


def test_flags_beat_overrides_beat_file(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("cluster: {k: 3, seed: 7}\nembed: {backbone: vgg16}\n")
    config = load_config(file, ["cluster.k=4", "embed.part_images=10"], {"cluster.k": 5})
    assert config.cluster.k == 5
    assert config.cluster.seed == 7
    assert config.embed.backbone == "vgg16"
    assert config.embed.part_images == 10


def test_a_flag_that_was_not_given_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("cluster: {k: 3}")
    assert load_config(file, flags={"cluster.k": None}).cluster.k == 3


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("cluster.k=1", ["cluster.k", "greater than or equal to 2", "1"]),
        ("cluster.kk=1", ["cluster.kk", "no such setting", "restarts"]),
        ("cluster.dec.t=1", ["cluster.dec.t", "no such setting", "refresh_every"]),
        ("klusters.k=1", ["klusters", "sections are", "cluster"]),
        ("cluster.k", ["section.field=value", "cluster.k"]),
        ("cluster.k.x=1", ["cluster.k"]),
        ("embed.max_workers=0", ["embed.max_workers"]),
        ("embed.weights=/some/file", ["weights_sha256"]),
        ("cluster.k=[", ["cluster.k", "YAML"]),
    ],
)
def test_an_error_names_the_field_and_what_was_expected(override: str, words: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        load_config(overrides=[override])
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("text", ["- a\n- b", "a: [", "just words"])
def test_a_file_that_is_no_config(tmp_path: Path, text: str) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"job\.yaml"):
        load_config(file)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(UsageError, match=r"nowhere\.yaml"):
        load_config("nowhere.yaml")


def test_credentials_stay_out_of_what_is_saved_and_shown() -> None:
    config = load_config(
        overrides=["store.options={AWS_SECRET_ACCESS_KEY: hush}", "archive.options={token: hush}"]
    )
    assert "hush" not in str(config.public())
    assert "hush" not in repr(config)


def test_credentials_stay_out_of_errors() -> None:
    with pytest.raises(UsageError) as error:
        load_config(overrides=["store.options={AWS_SECRET_ACCESS_KEY: [hush]}"])
    assert "hush" not in str(error.value)
