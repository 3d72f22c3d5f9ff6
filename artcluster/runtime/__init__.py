"""The contract between work and machines: executors, steps, cancellation, progress, meters."""
