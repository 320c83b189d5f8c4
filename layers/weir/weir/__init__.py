"""The library that every function shares: readings, chunks, the detector, alerts, and their stores.

The domain (`readings`, `chunks`, `lake`, `detector`, `scoring`) is plain Python and knows no AWS
event, no client and no clock. `storage` and `http` know the domain; the domain knows neither.
"""
