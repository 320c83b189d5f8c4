"""How well the detector finds labelled anomalies, and what it costs, beside its peers."""
