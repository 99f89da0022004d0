"""Accordant: a compiler for distributed protocols."""
