"""Trials: methods fitted to be measured and compared, without a run for each."""
