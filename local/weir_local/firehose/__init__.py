"""The Firehose stand-in: its API with the documented limits, the transform, and delivery."""
