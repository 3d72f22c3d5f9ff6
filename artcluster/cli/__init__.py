"""The command line: the verbs for a person at a terminal, and for `jobs/` on a cluster."""

from artcluster.cli.main import main

__all__ = ["main"]
