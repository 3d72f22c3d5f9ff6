"""The report of a run: what the store knows, gathered for the pages of `artcluster.report`."""
