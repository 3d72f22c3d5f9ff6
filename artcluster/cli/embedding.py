"""`artcluster run`, `embed` and `plan`, which estimates what they take."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
import yaml

from artcluster.cli.options import (
    archive_options,
    cluster_options,
    dry_run_option,
    embed_options,
    executor_option,
    force_option,
    with_config,
)
from artcluster.cli.tables import duration, in_bytes, new_console, print_json, print_rows
from artcluster.errors import UsageError

if TYPE_CHECKING:
    from artcluster.config import Config
    from artcluster.workflows.embedding.plan import JobPlan
    from artcluster.workflows.embedding.sizing import Sizing


_EMBED_EPILOG = """\b
Examples:
  artcluster embed photos/ store/ --backbone resnet50
  artcluster embed 's3://museum/**/*.tif' s3://museum/store --dry-run
"""


@click.command(epilog=_EMBED_EPILOG)
@click.argument("images")
@click.argument("store")
@archive_options
@embed_options
@dry_run_option
@executor_option
@with_config
def embed(
    images: str,
    store: str,
    dry_run: bool,
    executor: str,
    config: Config,
    as_json: bool,
) -> None:
    """Embed the pictures of IMAGES into STORE, without clustering them."""
    from artcluster.cli.session import open_job
    from artcluster.cli.show import show, show_counts
    from artcluster.workflows.embedding.embed import embed_archive
    from artcluster.workflows.embedding.plan import plan_archive
    from artcluster.workflows.embedding.shares import check_reject_share, check_unread_share

    with open_job(config, store, executor, create=True, dry=dry_run) as job:
        if dry_run:
            show_counts(plan_archive(job, images), as_json)
            return
        embedded = embed_archive(job, images)
    show([embedded], as_json)
    check_unread_share(embedded, config.archive.max_unread_share)
    check_reject_share(embedded, config.images.max_reject_share)


_EPILOG = """\b
Examples:
  artcluster run photos/ store/ --k 12
  artcluster run s3://museum/scans s3://museum/store --metadata works.csv --label style
  artcluster run photos/ store/ --method kmeans --backbone mobilenet_v2 --dry-run
  artcluster run photos/ store/ --config examples/papers/dcec-paint-small.yaml
  ray job submit --working-dir . -- python jobs/run.py s3://museum/scans s3://museum/store
"""


@click.command(epilog=_EPILOG)
@click.argument("images")
@click.argument("store")
@archive_options
@embed_options
@cluster_options
@dry_run_option
@force_option
@executor_option
@with_config
def run(
    images: str,
    store: str,
    dry_run: bool,
    force: bool,
    executor: str,
    config: Config,
    as_json: bool,
) -> None:
    """Embed the pictures of IMAGES and cluster them into STORE.

    IMAGES is a folder, a bucket, a glob, a CSV or Parquet list of URIs, or a zip, tar or Parquet
    file that holds the images themselves (or a glob of such). STORE is a folder or bucket of its
    own. Work already done is skipped. Methods that train a network of
    their own on the pictures, such as dcec-paint, have no use for --backbone.
    """
    from artcluster.cli.session import open_job
    from artcluster.cli.show import show, show_counts
    from artcluster.workflows.run import plan_run, run_archive

    with open_job(config, store, executor, create=True, dry=dry_run) as job:
        if dry_run:
            show_counts(plan_run(job, images), as_json)
            return
        done = run_archive(job, images, force=force)
    show([each for each in (done.embedding, done.clustering) if each is not None], as_json)
    done.check(config)
    if not as_json:
        click.echo(f"Next: artcluster report {store}")


def as_yaml(plan: JobPlan) -> str:
    """Return the proposed settings as a config file."""
    settings = {} if plan.measured is None else dict(plan.measured.sizing.settings)
    machines = plan.machines
    head = (
        f"# Proposed for {plan.counts.todo:,} images by {plan.embedder_id} on {machines.nodes} "
        f"machine(s) of {machines.cpus} CPUs and {machines.gpus} GPUs.\n"
    )
    return head + yaml.safe_dump(settings, sort_keys=False)


def show_plan(plan: JobPlan, json_wanted: bool) -> None:
    """Print a plan."""
    from artcluster.workflows.results import left_out_words

    if json_wanted:
        facts = asdict(plan)
        print_json(facts.pop("counts") | facts)
        return
    console = new_console()
    rows = [
        ("embedder", plan.embedder_id),
        ("listed", f"{plan.counts.listed:,} ({in_bytes(plan.counts.listed_bytes)})"),
        ("new", f"{plan.counts.new:,}"),
        ("changed", f"{plan.counts.changed:,}"),
        ("known, not yet embedded", f"{plan.counts.unembedded:,}"),
        ("gone", f"{plan.counts.removed:,}"),
        ("left out", left_out_words(plan.counts.left_out).removeprefix("left out ")),
        ("to embed", f"{plan.counts.todo:,} ({in_bytes(plan.counts.todo_bytes)})"),
    ]
    print_rows(console, "Archive (nothing was written)", rows)
    if plan.measured is None:
        console.print("Nothing is new: a job would list, compare and end.", markup=False)
        return
    sample = plan.measured.found.sample
    rows = [
        ("pictures read", f"{sample.pictures:,} ({in_bytes(sample.size_bytes)})"),
        ("formats", ", ".join(f"{name} {count:,}" for name, count in sample.formats.items())),
        (
            "megapixels",
            "{:.1f} in the middle, {:.1f} at the 95th percentile, {:.1f} at most".format(
                *sample.megapixels
            ),
        ),
    ]
    rows += [(f"rejected: {why}", f"{count:,}") for why, count in sample.rejects.items()]
    print_rows(console, "Sample", rows)
    machines, sized = plan.machines, plan.measured.sizing
    each = f"{machines.cpus} CPUs" + (f", {machines.gpus} GPUs" if machines.gpus else "")
    if machines.memory_bytes is not None:
        each += f", {in_bytes(machines.memory_bytes)}"
    rows = [("machines", f"{machines.nodes} of {each}")]
    words = plan.measured.found.words
    rows += [("" if number else "rests on", line) for number, line in enumerate(words)]
    if plan.last_job is not None:
        last = plan.last_job
        rows.append(
            (
                "the last job",
                f"{last.images_per_s:.1f} images/s on {last.cpus:g} CPUs and {last.gpus:g} GPUs, "
                f"{last.at[:16]}",
            )
        )
    print_rows(console, "Machines", rows + _needs(sized))
    for remark in sized.remarks:
        console.print(f"Note: {remark}.", markup=False)
    console.print("Settings (--out FILE writes them, --config FILE takes them):", style="bold")
    click.echo(as_yaml(plan))


def _needs(sized: Sizing) -> list[tuple[str, str]]:
    requests = sized.requests
    return [
        ("expected", f"{sized.images_per_s:,.0f} images/s, bound by {sized.bound_by}"),
        ("time", f"{duration(3600 * sized.hours)} of embedding"),
        (
            "workers a node",
            f"{sized.embed_workers} embedding, {sized.decode_workers} decoding",
        ),
        ("memory a node", f"{in_bytes(sized.node_bytes)} at its peak"),
        ("object store a node", f"{in_bytes(sized.object_store_bytes)} of shared memory"),
        ("driver, in addition", in_bytes(sized.driver_bytes)),
        (
            "in the store",
            f"{in_bytes(sized.vector_bytes)} of vectors, {in_bytes(sized.table_bytes)} of images",
        ),
        (
            "requests",
            f"{requests['reads']:,} reads, {requests['listings']:,} listings, "
            f"{requests['writes']:,} writes",
        ),
    ]


_PLAN_EPILOG = """\b
Examples:
  artcluster plan photos/ store/
  artcluster plan s3://museum/scans s3://museum/store --nodes 4 --cpus 16 --memory-gb 64
  artcluster plan photos/ store/ --cpus 16 --gpus 1 --gpu rtx4090 --out settings.yaml
  artcluster run photos/ store/ --config settings.yaml
"""


@click.command(epilog=_PLAN_EPILOG)
@click.argument("images")
@click.argument("store")
@archive_options
@embed_options
@click.option("--nodes", type=click.IntRange(1), default=1, show_default=True, help="Machines.")
@click.option("--cpus", type=click.IntRange(1), help="CPUs per machine (default: as on this one).")
@click.option("--gpus", type=click.IntRange(0), help="GPUs per machine (default: as on this one).")
@click.option("--memory-gb", type=float, help="Memory per machine (default: as on this one).")
@click.option("--gpu", metavar="KIND", help="GPU model with a published rate (known: rtx4090).")
@click.option(
    "--gpu-rate", type=click.FloatRange(0, min_open=True), help="Measured images/s of one GPU."
)
@click.option(
    "--sample",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="Pictures to read for their sizes and to measure with.",
)
@click.option(
    "--probe-seconds",
    type=click.FloatRange(0, min_open=True),
    default=3.0,
    show_default=True,
    help="Seconds to measure decoding for, and again embedding.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write the settings to this file.")
@with_config
def plan(
    images: str,
    store: str,
    nodes: int,
    cpus: int | None,
    gpus: int | None,
    memory_gb: float | None,
    gpu: str | None,
    gpu_rate: float | None,
    sample: int,
    probe_seconds: float,
    out: Path | None,
    config: Config,
    as_json: bool,
) -> None:
    """Estimate time, memory and storage for embedding IMAGES; writes nothing to STORE.

    Lists, counts what is new, reads a sample of the pictures, and measures some seconds how fast
    this machine decodes and embeds them. For other machines give their CPUs and GPUs: their CPUs
    are taken to be like these.
    """
    from artcluster.cli.session import open_job
    from artcluster.runtime.executor import Hardware, this_machine
    from artcluster.workflows.embedding.plan import PlanRequest, plan_job

    here = this_machine()
    given = cpus is not None or gpus is not None
    machines = Hardware(
        nodes,
        cpus or here.cpus,
        here.gpus if gpus is None else gpus,
        # What another machine has is not known.
        round(memory_gb * 1e9) if memory_gb else None if given else here.memory_bytes,
    )
    if (gpu is not None or gpu_rate is not None) and not machines.gpus:
        raise UsageError(
            "--gpu and --gpu-rate tell of GPUs: say with --gpus how many a machine has"
        )
    with open_job(config, store, "in-process", create=True, dry=True) as job:
        found = plan_job(job, images, PlanRequest(machines, gpu, gpu_rate, sample, probe_seconds))
    if out is not None:
        out.write_text(as_yaml(found), encoding="utf-8")
    show_plan(found, as_json)
