"""A plan of a job for people, as YAML to be used, or as JSON for machines."""

from dataclasses import asdict

import click
import yaml

from artcluster.cli.printing import duration, in_bytes, new_console, print_json, print_rows
from artcluster.stages.plan import JobPlan
from artcluster.stages.sizing import Sizing


def as_yaml(plan: JobPlan) -> str:
    """Return the proposed settings as a config file."""
    settings = {} if plan.measured is None else dict(plan.measured.sizing.settings)
    machines = plan.machines
    head = (
        f"# Proposed for {plan.todo:,} images by {plan.embedder_id} on {machines.nodes} machine(s) "
        f"of {machines.cpus} CPUs and {machines.gpus} GPUs.\n"
    )
    return head + yaml.safe_dump(settings, sort_keys=False)


def show_plan(plan: JobPlan, json_wanted: bool) -> None:
    """Print a plan."""
    if json_wanted:
        print_json(asdict(plan))
        return
    console = new_console()
    rows = [
        ("embedder", plan.embedder_id),
        ("listed", f"{plan.listed:,} ({in_bytes(plan.listed_bytes)})"),
        ("new", f"{plan.new:,}"),
        ("changed", f"{plan.changed:,}"),
        ("known, without a vector", f"{plan.unembedded:,}"),
        ("gone", f"{plan.removed:,}"),
        ("left out by name", f"{plan.skipped:,}"),
        ("to embed", f"{plan.todo:,} ({in_bytes(plan.todo_bytes)})"),
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
        ("driver beside", in_bytes(sized.driver_bytes)),
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
