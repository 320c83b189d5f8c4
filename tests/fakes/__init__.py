"""Stand-ins for the stores, in memory, with faults on demand."""
