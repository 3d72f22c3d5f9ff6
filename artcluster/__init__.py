"""Embed and cluster large image archives on a Ray cluster, or on one machine."""

__version__ = "0.1.0"
