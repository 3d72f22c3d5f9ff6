"""`artcluster duplicates`: pictures that an archive holds more than once."""

import csv
import sys
from dataclasses import asdict

import click

from artcluster.cli.options import archive_option, executor_option, vectors_option, with_config
from artcluster.config import Config

_EPILOG = """\b
Examples:
  artcluster duplicates store/
  artcluster duplicates store/ --csv > duplicates.csv
  artcluster duplicates store/ --by embedding --max-distance 0.05
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@archive_option
@vectors_option
@click.option(
    "--by",
    "duplicates_by",
    type=click.Choice(["both", "hash", "embedding"]),
    help="What tells near-duplicates: perceptual hash and vector (default), or one of them.",
)
@click.option(
    "--max-distance",
    "duplicates_max_distance",
    type=float,
    help="Cosine distance of vectors (default 0.02).",
)
@click.option(
    "--max-hash-bits",
    "duplicates_max_hash_bits",
    type=int,
    help="Differing bits of hashes (default 4 of 64).",
)
@click.option("--rows", default=20, show_default=True, help="Groups to print.")
@click.option("--csv", "as_csv", is_flag=True, help="Print all groups as CSV, a row a path.")
@executor_option
@with_config
def duplicates(
    store: str,
    archive_id: str | None,
    backbone: str | None,
    rows: int,
    as_csv: bool,
    executor: str,
    config: Config,
    as_json: bool,
) -> None:
    """List the pictures of STORE that are there more than once, the largest groups first.

    Exact copies have the same bytes; near ones look the same: encoded anew, resized, retouched.
    Clustering counts each content once, however many paths hold it. Perceptual hashes are computed
    where they are not in the store yet, from the archive itself.
    """
    from artcluster.cli.printing import print_json
    from artcluster.cli.session import open_job
    from artcluster.cli.show_duplicates import csv_rows, show_duplicates
    from artcluster.stages.duplicates import find_duplicates

    with open_job(config, store, executor, create=False) as job:
        found = find_duplicates(job, archive_id, backbone)
    if as_csv:
        csv.writer(sys.stdout).writerows(csv_rows(found))
    elif as_json:
        print_json(asdict(found))
    else:
        show_duplicates(found, rows)
