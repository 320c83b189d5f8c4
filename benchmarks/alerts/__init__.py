"""How soon an alert is seen, that each of its changes is told once, and what a chart costs."""
