"""Text to syntax tree: the only room that knows the grammar and Lark."""
