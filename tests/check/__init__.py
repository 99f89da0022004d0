"""Tests of names, types and meaning."""
