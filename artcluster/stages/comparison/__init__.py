"""What a comparison found, gathered for pages: summary, curves and maps, tables."""
