"""A Ray cluster as executor: Ray Data, Ray Train and actors. The only package that imports ray."""
