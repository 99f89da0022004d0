"""Syntax tree to checked tree: names, types, and what handlers and properties may do."""
