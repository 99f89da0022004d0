"""The command line: what it prints, writes and returns, and what it makes of misuse."""
