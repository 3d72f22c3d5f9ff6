"""Asking a store: SQL over its tables, and the nearest neighbours of a picture."""
