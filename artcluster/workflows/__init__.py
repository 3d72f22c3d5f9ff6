"""The verbs as functions over the rooms below and an executor."""
