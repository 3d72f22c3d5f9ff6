"""Options that several commands share, and how they become a config."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from artcluster.cli.log import log_option
from artcluster.config import Config, load_config
from artcluster.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

_FLAG_FIELDS = {
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
    "map_method": "map.method",
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


config_options = _stack(
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
        "environment variables work without.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    log_option,
)

executor_option = click.option(
    "--executor",
    type=click.Choice(["ray", "in-process"]),
    default="ray",
    show_default=True,
    help="Ray joins the cluster of RAY_ADDRESS or of the job, else starts one here; in-process "
    "does everything in this one process.",
)

archive_options = _stack(
    click.option("--archive-id", metavar="NAME", help="Name of the archive in the store."),
    click.option("--include", multiple=True, metavar="GLOB", help="Take these paths alone."),
    click.option("--exclude", multiple=True, metavar="GLOB", help="Leave these paths out."),
    click.option("--metadata", metavar="FILE", help="CSV, Parquet or JSONL with a row an image."),
    click.option("--metadata-join", metavar="COLUMN", help="Its column that names the image."),
)

embed_options = _stack(
    click.option(
        "--backbone",
        metavar="NAME",
        help="densenet121 (default), resnet50, vgg16, mobilenet_v2, timm:NAME, cae, genre-cae, "
        "genre-v2, pca:N, color-histogram, random:NAME, or faces: a vector a face.",
    ),
    click.option("--weights", metavar="FILE", help="Weights at a path or URI."),
    click.option("--weights-sha256", metavar="HEX", help="SHA-256 that the weights must have."),
    click.option("--batch-size", type=int, help="Images the network sees at once."),
)

cluster_options = _stack(
    click.option(
        "--method",
        metavar="NAME",
        help="On any embeddings: delius (default), ae-kmeans, kmeans, spherical-kmeans, consensus, "
        "hierarchy, hdbscan, temi, guided. With a network of their own, trained on the pictures: "
        "dcec-paint, dcec, dcec-noweights, cae-kmeans, cae-dec, genre-dec, pca-kmeans. On faces "
        "found in them: faces-kmeans, faces-dbscan.",
    ),
    click.option("--k", type=int, help="Number of clusters (default 8)."),
    click.option("--seed", type=int, help="Seed of everything random (default 0)."),
    click.option(
        "--label",
        multiple=True,
        metavar="COLUMN",
        help="Metadata column to compare the clusters with; may be repeated. Never trained on.",
    ),
    click.option("--num-workers", type=int, help="Training workers."),
    click.option("--use-gpu/--no-gpu", default=None, help="Train on GPUs."),
)

curation_options = _stack(
    click.option(
        "--archive-id", metavar="NAME", help="Which archive, where the store has several."
    ),
    click.option("--run", "run_id", metavar="ID", help="Which run; by default the last."),
    click.option("--who", metavar="NAME", help="Whom to write down; by default this user."),
)


def resolve_config(
    config_file: str | None,
    overrides: Sequence[str],
    storage_options: Sequence[str],
    flags: dict[str, Any],
    base: Mapping[str, Any] | None = None,
) -> Config:
    """Return the config of a command: base, then file, then --set, then flags.

    Raises:
        UsageError: As `load_config`, or a storage option that is not KEY=VALUE.
    """
    given: dict[str, Any] = {
        _FLAG_FIELDS[name]: value
        for name, value in flags.items()
        if name in _FLAG_FIELDS and value is not None and value != ()
    }
    options = dict(_split(option) for option in storage_options)
    for section in ("archive", "store"):
        for key, value in options.items():
            given[f"{section}.options.{key}"] = value
    return load_config(config_file, overrides, given, base)


def _split(option: str) -> tuple[str, str]:
    key, equals, value = option.partition("=")
    if not equals or not key:
        raise UsageError("--storage-option expects KEY=VALUE, such as AWS_ENDPOINT_URL=http://…")
    return key, value
