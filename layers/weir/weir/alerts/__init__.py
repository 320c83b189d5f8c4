"""Alerts: an anomaly's beginning, course and end, and what people did about it.

`alarm` is what the fold carries of an anomaly and the facts that it tells; `alert` is what the
Alerts table keeps; `lifecycle` is how facts and people change it.
"""
