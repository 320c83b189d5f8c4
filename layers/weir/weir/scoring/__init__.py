"""Scoring: the table is the log, the stream is the doorbell (docs/scoring.md).

`state` is what is known of a device and how it is kept; `fold` takes the log into it; `scorer`
answers the doorbell: which state to start from, what to read, and what to write in which order.
"""
