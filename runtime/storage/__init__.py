"""What a node has made durable, on disk: one directory a node."""
