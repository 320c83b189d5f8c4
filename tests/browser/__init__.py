"""The console in a headless browser, against a small stand-in of the API."""
