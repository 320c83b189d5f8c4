"""How fast Weir is, and against what: `python -m benchmarks` prints one table of one run."""
