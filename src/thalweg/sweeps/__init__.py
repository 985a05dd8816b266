"""Sweeps: thousands of descents at once."""
