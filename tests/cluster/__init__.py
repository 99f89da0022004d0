"""Tests of local clusters: processes, links, the fixtures, torture."""
