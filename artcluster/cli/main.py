"""The group of commands, and what their failures print and return."""

import sys
from collections import UserDict
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from artcluster import __version__
from artcluster.cli.log import reset_log, wants_json_log, write_event
from artcluster.errors import (
    ArchiveOutOfReachError,
    ArtclusterError,
    RejectShareError,
    StoppedError,
    TooFewError,
    UnreadShareError,
    UsageError,
)

EXIT_FAILURE, EXIT_USAGE, EXIT_REJECTS, EXIT_UNREAD, EXIT_OUT_OF_REACH = 1, 2, 3, 4, 5
EXIT_INTERRUPTED, EXIT_STOPPED = 130, 143

_RESUME = "Run the same command again to resume from the last commit."

_EPILOG = """\b
Exit codes: 0 done (also when there are too few faces to cluster), 1 failure, 2 wrong use, 3 more
rejects than allowed, 4 more files unreadable than allowed, 5 the archive's server or disk is out of
reach or refuses the credentials, 130 interrupted (Ctrl-C), 143 ended on request (SIGTERM). Run the
same command again to resume from the last commit.
"""


# Purpose → command → its module below `artcluster.cli`, and a line about it.
_BY_PURPOSE = {
    "Start here": {
        "run": ("embedding", "Embed an archive and cluster it"),
        "plan": ("embedding", "Estimate time, memory and storage"),
        "embed": ("embedding", "Embed an archive, without clustering"),
        "cluster": ("clustering", "Cluster the embedded images"),
    },
    "Look": {
        "report": ("viewing", "Generate pages with all clusters"),
        "serve": ("viewing", "Show the report live, with search"),
        "map": ("viewing", "Compute a 2-D map of the images"),
        "sheet": ("files", "Draw a cluster as one image"),
        "sort": ("files", "Sort images into one folder per cluster"),
        "export": ("files", "Export for other programs"),
    },
    "Search": {
        "query": ("searching", "Query the tables in SQL"),
        "similar": ("searching", "Find similar pictures, by image or words"),
        "duplicates": ("duplicates", "List duplicate pictures"),
    },
    "Correct": {
        "name": ("curation", "Name clusters"),
        "edit": ("curation", "Merge clusters, move images, undo"),
    },
    "Keep growing": {
        "update": ("update", "Add what is new; refit if it drifted"),
        "assign": ("clustering", "Assign new images to clusters"),
        "package": ("clustering", "Export a model"),
        "runs": ("history", "List the runs"),
        "diff": ("history", "Compare two runs"),
    },
    "Compare and study": {
        "sweep": ("experiments", "Try several numbers of clusters"),
        "compare": ("experiments", "Compare methods"),
        "methods": ("clustering", "List the methods"),
        "profile": ("studies", "Summarise the metadata of an archive"),
        "study": ("studies", "Supervised studies of genres and styles"),
    },
    "Housekeeping": {
        "rejects": ("housekeeping", "List the files that could not be used"),
        "status": ("housekeeping", "Show contents and unfinished jobs"),
        "check": ("housekeeping", "Check that every file is whole; repair"),
        "vacuum": ("housekeeping", "Remove what is no longer needed"),
    },
}


class _Commands(UserDict[str, Any]):
    """Commands by name, each imported when it is asked for."""

    def __getitem__(self, name: str) -> click.Command:
        module = import_module(f"artcluster.cli.{self.data[name]}")
        command = getattr(module, "map_command" if name == "map" else name)
        assert isinstance(command, click.Command)
        return command


class _Group(click.Group):
    """Lists commands by purpose, without importing them."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section per purpose."""
        del ctx
        for purpose, commands in _BY_PURPOSE.items():
            with formatter.section(purpose):
                formatter.write_dl([(name, line) for name, (_, line) in commands.items()])


_MODULES = {name: module for some in _BY_PURPOSE.values() for name, (module, _) in some.items()}


@click.group(
    cls=_Group,
    commands=_Commands(_MODULES),
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="artcluster")
def artcluster() -> None:
    """Embed and cluster large image archives: images in, queryable Parquet out."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and exit with its code."""
    sys.exit(_code(list(sys.argv[1:] if arguments is None else arguments)))


def _code(arguments: list[str]) -> int:
    reset_log()
    try:
        code = artcluster.main(arguments, prog_name="artcluster", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return EXIT_USAGE
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except StoppedError:
        return _fail(f"ended on request. {_RESUME}", EXIT_STOPPED)
    except SystemExit as ended:
        return _fail(
            f"a library ended this process by sys.exit({ended.code!r}); please report this as a "
            f"bug. {_RESUME}",
            EXIT_FAILURE,
        )
    except (KeyboardInterrupt, click.Abort):
        return _fail(f"interrupted. {_RESUME}", EXIT_INTERRUPTED)
    except TooFewError as answer:
        click.echo(f"No clusters: {answer}.")
    except RejectShareError as error:
        return _fail(str(error), EXIT_REJECTS)
    except UnreadShareError as error:
        return _fail(str(error), EXIT_UNREAD)
    except ArchiveOutOfReachError as error:
        return _fail(str(error), EXIT_OUT_OF_REACH)
    except UsageError as error:
        return _fail(str(error), EXIT_USAGE)
    except ArtclusterError as error:
        return _fail(str(error) or type(error).__name__, EXIT_FAILURE)
    except Exception as error:
        damage = _damage(arguments)
        if not damage:
            raise
        return _fail(f"{type(error).__name__}: {error}".split("\n", 1)[0] + damage, EXIT_FAILURE)
    return code if isinstance(code, int) else 0


def _damage(arguments: Sequence[str]) -> str:
    """Name damaged files of the store that a command was given; '' where none is found."""
    from artcluster.runtime.progress import Silent
    from artcluster.store import Store
    from artcluster.workflows.housekeeping.check import check_store

    for place in arguments:
        try:
            damages = check_store(Store.open(place), Silent(), quick=True).damages
        except ArtclusterError:
            continue
        if damages:
            found = "; ".join(f"{each.path!r} {each.problem}" for each in damages[:3])
            return (
                f". Of the store {place}, {len(damages):,} files are damaged: {found}. "
                f"`artcluster check {place} --repair` takes damaged files out."
            )
    return ""


def _fail(message: str, code: int) -> int:
    if wants_json_log():
        write_event("failed", {"text": message, "exit_code": code}, "error")
    else:
        from artcluster.location.redaction import redact

        click.echo(f"artcluster: {redact(message)}", err=True)
    return code
