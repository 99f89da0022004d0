"""What `accordant build` made of the specs: one module a protocol, not edited by hand."""
