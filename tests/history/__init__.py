"""Histories, the linearizability checker and its pictures."""
