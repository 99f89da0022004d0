"""Programs over the protocols: processes on this machine, killed while they work."""
