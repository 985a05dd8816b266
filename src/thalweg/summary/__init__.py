"""Least squares from one pass over the rows: summaries, the exact solution, its digits."""
