"""A replicated key-value service on the generated Raft, for unmodified Redis clients."""
