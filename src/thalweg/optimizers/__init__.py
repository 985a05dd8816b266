"""The optimisers: a file for each, found by :mod:`thalweg.optimizers.registry`."""
