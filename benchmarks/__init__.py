"""Every speed claim, measured: ``python -m benchmarks`` runs them and writes RESULTS.md."""
