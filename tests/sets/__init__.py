"""Sets in messages, requests and outputs, from the spec to the run."""
