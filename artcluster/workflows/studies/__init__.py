"""Studies of an archive against a label of its metadata: supervised, and apart from all clusters.

What a study trains is never an embedder, and nothing here is read by a method that clusters.
"""
