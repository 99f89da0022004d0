"""Tests of the prover and the bounded search."""
