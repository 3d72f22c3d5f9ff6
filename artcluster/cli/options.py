"""Options that several commands share, and how they become a config."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, TypeVar

import click

from artcluster.cli.log import log_option
from artcluster.errors import UsageError
from artcluster.workflows.clustering.methods import METHODS, check_method

if TYPE_CHECKING:
    from artcluster.config import Config

F = TypeVar("F", bound=Callable[..., Any])


FLAG_FIELDS = {
    "archive_id": "archive.id",
    "include": "archive.include",
    "exclude": "archive.exclude",
    "metadata": "metadata.source",
    "metadata_join": "metadata.join",
    "backbone": "embed.backbone",
    "weights": "embed.weights",
    "weights_sha256": "embed.weights_sha256",
    "batch_size": "embed.batch_size",
    "method": "cluster.method",
    "k": "cluster.k",
    "seed": "cluster.seed",
    "label": "cluster.labels",
    "num_workers": "cluster.workers",
    "use_gpu": "cluster.use_gpu",
    "max_removed_share": "archive.max_removed_share",
    "max_lost_share": "metadata.max_lost_share",
    "duplicates_by": "duplicates.by",
    "duplicates_max_distance": "duplicates.max_distance",
    "duplicates_max_hash_bits": "duplicates.max_hash_bits",
    "resamples": "trials.resamples",
    "study_label": "study.label",
    "study_top_styles": "study.genres.top_styles",
    "study_colours": "study.genres.colours",
    "study_genres_seed": "study.genres.seed",
    "study_backbones": "study.backbones.backbones",
    "study_classes": "study.backbones.classes",
    "study_backbones_seed": "study.backbones.seed",
}


def _stack(*options: Callable[[F], F]) -> Callable[[F], F]:
    def apply(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return apply


executor_option = click.option(
    "--executor",
    type=click.Choice(["ray", "in-process"]),
    default="ray",
    show_default=True,
    help="ray: join the cluster at RAY_ADDRESS or of the enclosing job, otherwise start a local "
    "one; in-process: run everything in this process.",
)


dry_run_option = click.option(
    "--dry-run", is_flag=True, help="List and plan: counts, bytes, expected time."
)
force_option = click.option(
    "--force", is_flag=True, help="Create a new run even if an identical one exists."
)
archive_option = click.option(
    "--archive-id", metavar="NAME", help="Archive to use, if the store has several."
)
vectors_option = click.option(
    "--backbone", metavar="NAME", help="Backbone whose vectors to use, if the store has several."
)

run_option = click.option("--run", "run_id", metavar="ID", help="Run to use (default: the last).")

training_options = _stack(
    click.option("--num-workers", type=int, help="Training workers."),
    click.option("--use-gpu/--no-gpu", default=None, help="Train on GPUs."),
)


ks_option = click.option(
    "--k", "ks", default="2:10", show_default=True, help="Range or list of k: 2:10 or 4,8."
)
where_option = click.option(
    "--where", metavar="SQL", help="Images to cluster, by columns of the view `latest`."
)
presets_option = click.option(
    "--presets", metavar="DIR", help="Folder with one YAML file of settings per method."
)
findings_option = click.option(
    "--out",
    metavar="DIR",
    help="Output folder for the page, Markdown and CSV (default: inside STORE).",
)


archive_options = _stack(
    click.option("--archive-id", metavar="NAME", help="Name of the archive in the store."),
    click.option("--include", multiple=True, metavar="GLOB", help="Only these paths."),
    click.option("--exclude", multiple=True, metavar="GLOB", help="Leave these paths out."),
    click.option(
        "--metadata", metavar="FILE", help="CSV, Parquet or JSONL with one row per image."
    ),
    click.option(
        "--metadata-join",
        metavar="COLUMN",
        help="Metadata column that identifies the image (default: `path`, then common names).",
    ),
    click.option(
        "--allow-lost-metadata",
        "max_lost_share",
        flag_value=1.0,
        help="Accept a metadata table, or hints, of any number of images fewer than last time; "
        "otherwise more than metadata.max_lost_share stops the job.",
    ),
)


embed_options = _stack(
    click.option(
        "--backbone",
        metavar="NAME",
        help="densenet121 (default), resnet50, vgg16, mobilenet_v2, timm:NAME, clip:NAME/TAG, "
        "cae, genre-cae, genre-v2, pca:N, color-histogram, random:NAME, or faces (one vector per "
        "face).",
    ),
    click.option("--weights", metavar="FILE", help="Weights at a path or URI."),
    click.option("--weights-sha256", metavar="HEX", help="SHA-256 that the weights must have."),
    click.option("--batch-size", type=int, help="Batch size (images per forward pass)."),
)


cluster_options = _stack(
    click.option(
        "--method",
        metavar="NAME",
        help=f"Method: {', '.join(METHODS)} (default delius). `artcluster methods` describes them.",
    ),
    click.option("--k", type=int, help="Number of clusters (default 8)."),
    click.option("--seed", type=int, help="Random seed (default 0)."),
    click.option(
        "--label",
        multiple=True,
        metavar="COLUMN",
        help="Metadata column to compare the clusters with; may be repeated. Never trained on.",
    ),
    training_options,
)


curation_options = _stack(
    archive_option,
    run_option,
    click.option(
        "--who", metavar="NAME", help="Author recorded with the edit (default: current user)."
    ),
)


_config_options = _stack(
    click.option("--config", "config_file", metavar="FILE", help="YAML with any of the settings."),
    click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="A.B=C",
        help="Override one setting, such as cluster.dec.tolerance=0.01; may be repeated.",
    ),
    click.option(
        "--storage-option",
        "storage_options",
        multiple=True,
        metavar="KEY=VALUE",
        help="Credentials or endpoint of object storage, for images and store; the usual "
        "environment variables are used if it is not given.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    log_option,
)


def with_config(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that all have, and hand it `config`, resolved from them.

    An option in `FLAG_FIELDS` is a setting of the config, where the command does not take it
    itself. A command that takes `overrides` is handed the texts of --set, too.
    """
    taken = signature(command).parameters

    @wraps(command)
    def resolved(
        *args: Any,
        config_file: str | None,
        overrides: tuple[str, ...],
        storage_options: tuple[str, ...],
        **values: Any,
    ) -> Any:
        flags = {
            name: values.pop(name) for name in FLAG_FIELDS if name in values and name not in taken
        }
        if "overrides" in taken:
            values["overrides"] = overrides
        config = _resolve(config_file, overrides, storage_options, flags)
        return command(*args, config=config, **values)

    return _config_options(resolved)


def _resolve(
    config_file: str | None,
    overrides: Sequence[str],
    storage_options: Sequence[str],
    flags: Mapping[str, Any],
) -> Config:
    """Return the config of a command: file, then --set, then flags.

    Raises:
        UsageError: As `load_config`, a storage option that is not KEY=VALUE, or no such method.
    """
    from artcluster.config import load_config

    given = {FLAG_FIELDS[name]: value for name, value in flags.items() if value != ()}
    options = dict(_split(option) for option in storage_options)
    for section in ("archive", "store"):
        for key, value in options.items():
            given[f"{section}.options.{key}"] = value
    config = load_config(config_file, overrides, given)
    check_method(config.cluster.method)
    return config


def _split(option: str) -> tuple[str, str]:
    key, equals, value = option.partition("=")
    if not equals or not key:
        raise UsageError("--storage-option expects KEY=VALUE, such as AWS_ENDPOINT_URL=http://…")
    return key, value
