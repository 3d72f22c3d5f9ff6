"""An archive that grows: nightly updates, the decision to refit, what differs between runs."""
