"""Nodes as processes, over loopback."""
