"""Tests of the parser: trees, diagnostics, and the reference that describes the language."""
