"""`artcluster plan`: what embedding an archive would take, and how to set the job for it."""

from pathlib import Path

import click

from artcluster.cli.options import archive_options, embed_options, with_config
from artcluster.config import Config
from artcluster.errors import UsageError

_EPILOG = """\b
Examples:
  artcluster plan photos/ store/
  artcluster plan s3://museum/scans s3://museum/store --nodes 4 --cpus 16 --memory-gb 64
  artcluster plan photos/ store/ --cpus 16 --gpus 1 --gpu rtx4090 --out settings.yaml
  artcluster run photos/ store/ --config settings.yaml
"""


@click.command(epilog=_EPILOG)
@click.argument("images")
@click.argument("store")
@archive_options
@embed_options
@click.option("--nodes", type=click.IntRange(1), default=1, show_default=True, help="Machines.")
@click.option("--cpus", type=click.IntRange(1), help="CPUs of one; by default this machine's.")
@click.option("--gpus", type=click.IntRange(0), help="GPUs of one; by default this machine's.")
@click.option("--memory-gb", type=float, help="Memory of one; by default this machine's.")
@click.option("--gpu", metavar="KIND", help="Kind of GPU of which a figure is known: rtx4090.")
@click.option(
    "--gpu-rate", type=click.FloatRange(0, min_open=True), help="Images/s of one GPU, measured."
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
    help="Time for measuring decoding, and as much for embedding.",
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
    """Say what embedding IMAGES into STORE would take; writes nothing to it.

    Lists, counts what is new, reads a sample of the pictures, and measures some seconds how fast
    this machine decodes and embeds them. For other machines give their CPUs and GPUs: their CPUs
    are taken to be like these.
    """
    from artcluster.cli.session import open_job
    from artcluster.cli.show_plan import as_yaml, show_plan
    from artcluster.stages.hardware import Hardware, this_machine
    from artcluster.stages.plan import Asked, plan_job

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
        found = plan_job(job, images, Asked(machines, gpu, gpu_rate, sample, probe_seconds))
    if out is not None:
        out.write_text(as_yaml(found), encoding="utf-8")
    show_plan(found, as_json)
