"""`artcluster cluster`, and models used elsewhere: `assign` and `package`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from artcluster.cli.options import (
    archive_option,
    cluster_options,
    executor_option,
    force_option,
    vectors_option,
    with_config,
)
from artcluster.errors import UsageError

if TYPE_CHECKING:
    from artcluster.config import Config

_ASSIGN_EPILOG = """\b
Examples:
  artcluster assign store/ new/portrait.jpg new/bridge.png
  artcluster assign store/ inbox/ --json
  artcluster assign drawings-model/ inbox/
"""


@click.command(epilog=_ASSIGN_EPILOG)
@click.argument("store", metavar="STORE|PACKAGE")
@click.argument("images", nargs=-1, required=True)
@click.option("--model", "model_id", metavar="ID", help="Model to use (default: the last run's).")
@archive_option
@with_config
def assign(
    store: str,
    images: tuple[str, ...],
    model_id: str | None,
    archive_id: str | None,
    config: Config,
    as_json: bool,
) -> None:
    """Assign each of IMAGES (files or folders) to a cluster, using a model from STORE or a PACKAGE.

    Nothing is written.
    """
    from artcluster.cli.show import show_assigned
    from artcluster.runtime.executor import usable_cpus
    from artcluster.workflows.run import assign_images

    found = assign_images(
        store, images, config, model_id=model_id, archive_id=archive_id, threads=usable_cpus()
    )
    show_assigned(list(found), as_json)


_PACKAGE_EPILOG = """\b
Examples:
  artcluster package store/ drawings-model/
  artcluster package store/ kmeans-d7d0843d46fc s3://museum/models/drawings
  artcluster assign drawings-model/ inbox/
"""


@click.command(epilog=_PACKAGE_EPILOG)
@click.argument("store")
@click.argument("model", nargs=-1, metavar="[MODEL]")
@click.argument("folder", metavar="DIR")
@archive_option
@with_config
def package(
    store: str,
    model: tuple[str, ...],
    folder: str,
    archive_id: str | None,
    config: Config,
    as_json: bool,
) -> None:
    """Write a MODEL of STORE into DIR: weights, centroids, thresholds, preprocessing, a README.

    MODEL is the ID of a model or of a run (default: the last run's model). `artcluster assign DIR
    IMAGES` then works anywhere, without the store.
    """
    from artcluster.cli.tables import new_console, print_json, print_rows
    from artcluster.location import Location
    from artcluster.store import Store
    from artcluster.workflows.clustering.package import package_model

    if len(model) > 1:
        raise UsageError(f"expected STORE [MODEL] DIR, got {len(model) + 2} arguments")
    opened = Store.open(store, options=config.store.options)
    location = Location.parse(folder, config.store.options)
    facts = package_model(opened, model[0] if model else None, location, config, archive_id)
    if as_json:
        print_json(asdict(facts))
        return
    rows = [
        ("model", f"{facts.model_id}, {facts.k} clusters"),
        ("embedder", facts.embedder_id),
        ("run", facts.run_id or "none"),
        ("files", ", ".join(sorted(facts.files))),
    ]
    print_rows(new_console(), f"Package {location}", rows)


_EPILOG = """\b
Examples:
  artcluster cluster store/ --method kmeans --k 20
  artcluster cluster store/ --method delius --k 8 --label style --label genre
  artcluster cluster store/ --method consensus --k 12
  artcluster cluster store/ --method hierarchy --k 30
  artcluster cluster store/ --method guided --k 8 --set cluster.hints=labels.csv
  artcluster cluster store/ --method faces-dbscan
  artcluster cluster store/ --k 12 --parent last
  artcluster cluster store/ --method dcec-paint --k 7 --set embed.cae.max_steps=2000
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@archive_option
@vectors_option
@cluster_options
@force_option
@click.option(
    "--parent",
    metavar="RUN",
    help="Parent run, or `last`: its cluster numbers, names and edits are carried over "
    "(default: none).",
)
@executor_option
@with_config
def cluster(
    store: str,
    archive_id: str | None,
    backbone: str | None,
    force: bool,
    parent: str | None,
    executor: str,
    config: Config,
    as_json: bool,
) -> None:
    """Cluster the embedded images of STORE.

    Methods that train a network of their own, such as dcec-paint, read the pictures again, from
    where they were embedded.
    """
    from artcluster.cli.session import open_job
    from artcluster.cli.show import show
    from artcluster.workflows.clustering.cluster import cluster_archive
    from artcluster.workflows.run import clusters_or_none

    with open_job(config, store, executor, create=False) as job:
        clustered = clusters_or_none(
            lambda: cluster_archive(job, archive_id, backbone, force=force, parent=parent)
        )
    show([clustered], as_json)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def methods(as_json: bool) -> None:
    """List the methods of clustering: what each does, and which vectors it takes."""
    from artcluster.cli.tables import new_console, print_json, print_rows
    from artcluster.config import ClusterSettings
    from artcluster.workflows.clustering.methods import METHODS, find_method, network_of

    found = []
    for name in METHODS:
        record, network = find_method(name), network_of(ClusterSettings(method=name))
        found.append(
            {
                "method": name,
                "summary": record.summary,
                "vectors": network or "any",
                "finds_k": record.finds_k,
                "resumes": record.warm is not None,
            }
        )
    if as_json:
        print_json(found)
        return
    rows = [
        (
            str(each["method"]),
            f"{each['summary']}; vectors: {each['vectors']}"
            + ("; finds the number of clusters itself" if each["finds_k"] else ""),
        )
        for each in found
    ]
    print_rows(new_console(), "Methods", rows)
