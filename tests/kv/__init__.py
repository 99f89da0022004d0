"""Tests of the replicated key-value service."""
