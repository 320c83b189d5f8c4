"""The local stack: all of template.yaml on one machine, with documented limits and faults."""
