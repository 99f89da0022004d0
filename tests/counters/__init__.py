"""Tests of counters: types whose values have a next one."""
