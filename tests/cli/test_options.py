"""Options become settings, unless a command takes them itself."""

import subprocess
import sys
from collections.abc import Iterator
from inspect import signature
from typing import Any

import click
import pytest

from artcluster.cli.main import artcluster
from artcluster.cli.options import FLAG_FIELDS, cluster_options, vectors_option, with_config
from artcluster.config import Config, load_config


def every_command(group: click.Group) -> Iterator[click.Command]:
    for command in group.commands.values():
        yield command
        if isinstance(command, click.Group):
            yield from every_command(command)


HEAVY = ("torch", "ray", "pyarrow", "duckdb", "sklearn", "numpy", "pydantic", "deltalake")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from artcluster.cli.main import artcluster\n"
        "artcluster.main(['--help'], standalone_mode=False)\n"
        "assert 'rich' not in sys.modules\n"
        "for name in artcluster.commands:\n"
        "    artcluster.main([name, '--help'], standalone_mode=False)\n"
        f"print(sorted(set({HEAVY!r}) & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_option_is_a_setting_or_the_commands_own() -> None:
    settings = set()
    for command in every_command(artcluster):
        assert command.callback is not None
        own = signature(command.callback).parameters.keys()
        names = {str(option.name) for option in command.params if option.expose_value}
        assert own - names <= {"config", "context", "editing"}, command.name
        settings |= names - own - {"config_file", "overrides", "storage_options"}
    assert settings == FLAG_FIELDS.keys()


@pytest.mark.parametrize("field", FLAG_FIELDS.values())
def test_every_flag_has_a_setting(field: str) -> None:
    found: Any = load_config()
    for name in field.split("."):
        assert name in type(found).model_fields
        found = getattr(found, name)


def test_flags_override_what_is_set() -> None:
    handed: dict[str, Any] = {}

    @click.command()
    @cluster_options
    @vectors_option
    @with_config
    def command(backbone: str, config: Config, overrides: tuple[str, ...], as_json: bool) -> None:
        handed.update(locals())

    given = ["--k", "5", "--backbone", "vgg16", "--set", "cluster.k=3", "--set", "cluster.seed=2"]
    command.main(given, standalone_mode=False)
    config = handed["config"]
    assert (config.cluster.k, config.cluster.seed) == (5, 2)
    assert (handed["backbone"], config.embed.backbone) == ("vgg16", Config().embed.backbone)
    assert handed["overrides"] == ("cluster.k=3", "cluster.seed=2")


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        (["update", "IMAGES", "STORE", "--allow-removals"], "archive.max_removed_share", 1.0),
        (["update", "IMAGES", "STORE"], "archive.max_removed_share", 0.5),
        (["study", "genres", "STORE", "--grey"], "study.genres.colours", "grey"),
        (["study", "genres", "STORE"], "study.genres.colours", "rgb"),
        (["duplicates", "STORE", "--max-distance", "1e-5"], "duplicates.max_distance", 1e-5),
        (["sweep", "STORE", "--resamples", "5"], "trials.resamples", 5),
    ],
)
def test_flags_are_settings(
    arguments: list[str], field: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    class OpenedError(Exception):
        pass

    def open_job(config: Config, *_: object, **__: object) -> None:
        opened.append(config)
        raise OpenedError

    monkeypatch.setattr("artcluster.cli.session.open_job", open_job)
    with pytest.raises(OpenedError):
        artcluster.main(arguments, standalone_mode=False)
    found: Any = opened[0]
    for name in field.split("."):
        found = getattr(found, name)
    assert found == value
