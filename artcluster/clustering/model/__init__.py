"""What clustering results in: centroids in a space, with the rule that assigns."""
