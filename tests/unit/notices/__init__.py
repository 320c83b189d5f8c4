"""Notices: what is told of alerts, in words and once."""
