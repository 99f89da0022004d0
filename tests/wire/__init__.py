"""Frames and messages on a connection."""
