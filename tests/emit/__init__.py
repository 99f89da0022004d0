"""Tests of the emitter: what it writes, and what the written modules do."""
