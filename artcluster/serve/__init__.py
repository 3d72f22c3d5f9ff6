"""A store's report, live: with the search for similar pictures, and the cluster of a new one."""
