"""Encoded pictures to pixels: one stated policy, rejects with a reason, a process that may die."""
