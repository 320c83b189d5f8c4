"""Charts: a device's chunks as readings, as buckets, and as what was to be expected.

Pure functions, quick enough for a week at one reading a second; see `weir.charts.buckets`.
"""
