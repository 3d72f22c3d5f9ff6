"""`artcluster duplicates`: pictures that an archive holds more than once."""

import csv
import sys

import click

from artcluster.cli.options import config_options, executor_option, resolve_config

_EPILOG = """\b
Examples:
  artcluster duplicates store/
  artcluster duplicates store/ --csv > duplicates.csv
  artcluster duplicates store/ --by embedding --max-distance 0.05
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.option("--archive-id", metavar="NAME", help="Which archive, where the store has several.")
@click.option("--backbone", metavar="NAME", help="Whose vectors, where the store has several.")
@click.option(
    "--by",
    type=click.Choice(["both", "hash", "embedding"]),
    help="What tells near-duplicates: perceptual hash and vector (default), or one of them.",
)
@click.option("--max-distance", type=float, help="Cosine distance of vectors (default 0.02).")
@click.option("--max-hash-bits", type=int, help="Differing bits of hashes (default 4 of 64).")
@click.option("--rows", default=20, show_default=True, help="Groups to print.")
@click.option("--csv", "as_csv", is_flag=True, help="Print all groups as CSV, a row a path.")
@executor_option
@config_options
def duplicates(
    store: str,
    archive_id: str | None,
    backbone: str | None,
    by: str | None,
    max_distance: float | None,
    max_hash_bits: int | None,
    rows: int,
    as_csv: bool,
    executor: str,
    config_file: str | None,
    overrides: tuple[str, ...],
    storage_options: tuple[str, ...],
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
    from artcluster.stages.summary import as_json as as_values

    given = {"by": by, "max_distance": max_distance, "max_hash_bits": max_hash_bits}
    flags = [f"duplicates.{name}={value}" for name, value in given.items() if value is not None]
    config = resolve_config(config_file, [*overrides, *flags], storage_options, {})
    with open_job(config, store, executor, create=False) as job:
        found = find_duplicates(job, archive_id, backbone)
    if as_csv:
        csv.writer(sys.stdout).writerows(csv_rows(found))
    elif as_json:
        print_json(as_values(found))
    else:
        show_duplicates(found, rows)
