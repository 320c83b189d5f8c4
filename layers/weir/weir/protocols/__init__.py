"""Adapters from what devices speak to readings: one module a protocol."""
