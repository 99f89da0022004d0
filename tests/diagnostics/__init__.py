"""Tests of diagnostics as text."""
