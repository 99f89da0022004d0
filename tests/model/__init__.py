"""Tests of the model: its text form, its rules, and what it means in finite structures."""
