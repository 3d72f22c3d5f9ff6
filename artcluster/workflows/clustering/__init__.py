"""Clustering: a method fitted, contents assigned, the result measured and recorded as a run."""
