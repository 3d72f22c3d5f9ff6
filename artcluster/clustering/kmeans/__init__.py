"""k-means: seeds, Lloyd's iterations, and its variants."""
