"""Which cluster of a new run is which of the last: matching, numbers, kinds of change, drift."""
