"""Checked tree to readable, standalone Python."""
