"""Finds the devices that stopped reporting."""
