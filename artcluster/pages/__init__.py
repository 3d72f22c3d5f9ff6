"""Reports: pages that people look at, from plain data to files; knows nothing of stores."""
