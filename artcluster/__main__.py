"""`python -m artcluster`: the command line."""

from artcluster.cli import main

main()
