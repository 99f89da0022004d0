"""Tests of the whole way: random specs, from their text to proof, model and running code."""
