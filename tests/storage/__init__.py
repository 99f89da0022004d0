"""The durable store of a node."""
