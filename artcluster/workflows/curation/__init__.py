"""What people and words say about clusters: names, edits, keywords."""
