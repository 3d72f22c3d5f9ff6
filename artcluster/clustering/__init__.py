"""Clustering of vectors: k-means, soft assignment, refinement, and the models that result."""
