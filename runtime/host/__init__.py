"""One node of a generated module as a process: events in, one commit, effects out."""
