"""What a command can't go on from, besides the mistakes in a spec (`SpecError`)."""


class UsageError(Exception):
    """An option or argument does not make sense; the message says which and why."""


class InternalError(Exception):
    """The compiler has made a mistake of its own. Never the user's fault."""
