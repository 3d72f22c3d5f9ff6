"""The group of commands, and what their failures print and return."""

import sys
from collections.abc import Sequence

import click

from artcluster import __version__
from artcluster.cli.clustering import assign, cluster, package
from artcluster.cli.curation import edit, name
from artcluster.cli.duplicates import duplicates
from artcluster.cli.embedding import embed, plan, run
from artcluster.cli.experiments import compare, sweep
from artcluster.cli.files import export, sheet, sort
from artcluster.cli.history import diff, runs
from artcluster.cli.housekeeping import status, vacuum
from artcluster.cli.log import reset_log, wants_json_log, write_event
from artcluster.cli.searching import query, similar
from artcluster.cli.studies import profile, study
from artcluster.cli.update import update
from artcluster.cli.viewing import map_command, report, serve
from artcluster.errors import (
    ArtclusterError,
    RejectShareError,
    StoppedError,
    TooFewError,
    UsageError,
)
from artcluster.location.redaction import redact

EXIT_FAILURE, EXIT_USAGE, EXIT_REJECTS, EXIT_INTERRUPTED, EXIT_STOPPED = 1, 2, 3, 130, 143


_EPILOG = """\b
Exit codes: 0 done (or too few faces to group), 1 failure, 2 wrong use, 3 more rejects than
allowed, 130 interrupted (Ctrl-C), 143 ended on request (SIGTERM). The same command
again goes on from the last commit.
"""


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="artcluster")
def artcluster() -> None:
    """Embed and cluster large image archives: images in, queryable Parquet out."""


for command in (
    plan,
    run,
    update,
    embed,
    cluster,
    assign,
    status,
    query,
    sheet,
    similar,
    sort,
    export,
    serve,
    map_command,
    report,
    vacuum,
    package,
    duplicates,
    runs,
    diff,
    name,
    edit,
    study,
    sweep,
    compare,
    profile,
):
    artcluster.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and exit with its code."""
    sys.exit(_code(list(sys.argv[1:] if arguments is None else arguments)))


def _code(arguments: list[str]) -> int:
    reset_log()
    try:
        artcluster.main(arguments, prog_name="artcluster", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return EXIT_USAGE
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except StoppedError:
        return _fail(
            "ended on request; the same command goes on from the last commit", EXIT_STOPPED
        )
    except SystemExit as ended:
        return _fail(
            f"a library ended this process by sys.exit({ended.code!r}), which is a mistake to "
            "report; the same command goes on from the last commit",
            EXIT_FAILURE,
        )
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted; the same command goes on from the last commit", EXIT_INTERRUPTED)
    except TooFewError as answer:
        click.echo(f"No clusters: {answer}.")
    except RejectShareError as error:
        return _fail(str(error), EXIT_REJECTS)
    except UsageError as error:
        return _fail(str(error), EXIT_USAGE)
    except ArtclusterError as error:
        return _fail(str(error) or type(error).__name__, EXIT_FAILURE)
    return 0


def _fail(message: str, code: int) -> int:
    if wants_json_log():
        write_event("failed", {"text": message, "exit_code": code}, "error")
    else:
        click.echo(f"artcluster: {redact(message)}", err=True)
    return code
