"""Benchmarks, each a module to be run by itself."""
