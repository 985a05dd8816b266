"""The descent: which rows each step sees, in what order, and what is kept of it."""
