"""Where readings, checkpoints, alerts and lake records are kept: a small class for each."""
