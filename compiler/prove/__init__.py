"""Model to verdicts: the only room that knows a solver."""
