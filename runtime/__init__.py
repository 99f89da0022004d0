"""Drives generated modules: simulated clusters, faults, schedules and checks."""
