"""Tests of the example programs, each run in a short form."""
