"""A comparison in the store, and what its pages show: summary, curves and maps, tables."""
