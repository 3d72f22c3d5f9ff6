"""Embedding: what is new in an archive becomes vectors."""
