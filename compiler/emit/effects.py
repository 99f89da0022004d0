"""How a handler returns its effects.

Most handlers return a list literal at the end of each path: it reads like the spec, and it is
the fastest form. That is right only if everything in the list has the value at the end of the
path that it had at its own statement, and it is readable only if little is repeated where paths
part. `fits_literal` decides; the other form appends to a list at each statement.
"""

from __future__ import annotations

from dataclasses import dataclass

from compiler.check import checked
from compiler.check.walk import all_statements, own_expressions
from compiler.emit.simplify import Statements, variables_read, walk

MAX_REPEATED = 2
"""How many effects before a branching at the end may be repeated in each branch."""


@dataclass(frozen=True, slots=True)
class Place:
    """A durable variable, or an entry of it; the state, if `variable` is None."""

    variable: checked.Variable | None
    keys: tuple[checked.Expression, ...]


@dataclass(frozen=True, slots=True)
class Durability:
    """What of a role's state survives a crash."""

    state: bool

    def place(self, statement: checked.Statement) -> Place | None:
        """Return the durable place that a statement writes."""
        match statement:
            case checked.Assign(variable=variable, keys=keys) if variable.kind == "durable":
                return Place(variable, keys)
            case checked.Become() if self.state:
                return Place(None, ())
            case _:
                return None

    def acts(self, statement: checked.Statement) -> bool:
        """Whether a statement itself has an effect, a durable write among them."""
        return is_effect(statement) or self.place(statement) is not None

    def acts_within(self, statements: Statements) -> bool:
        """Whether any statement, or one in it, has an effect."""
        return any(self.acts(statement) for statement in all_statements(statements))


def is_effect(statement: checked.Statement) -> bool:
    """Whether a statement makes an effect other than a durable write."""
    return isinstance(
        statement,
        checked.Send | checked.Broadcast | checked.Emit | checked.Arm | checked.Disarm,
    )


def fits_literal(statements: Statements, durability: Durability) -> bool:
    """Whether every path can end in a list literal of its effects."""
    return _fits(statements, durability, [])


def _fits(statements: Statements, durability: Durability, before: list[checked.Statement]) -> bool:
    """As `fits_literal`, for the rest of a path whose acting statements so far are `before`."""
    acted = list(before)
    for index, statement in enumerate(statements):
        last = index == len(statements) - 1
        if isinstance(statement, checked.If) and last and durability.acts_within((statement,)):
            if len(acted) > MAX_REPEATED:
                return False
            return all(
                _fits(body, durability, acted)
                for body in (*(b.body for b in statement.branches), statement.otherwise)
            )
        if isinstance(statement, checked.If | checked.For):
            if durability.acts_within((statement,)):
                return False
            if any(_disturbs(inner, acted) for inner in all_statements((statement,))):
                return False
            continue
        if _disturbs(statement, acted):
            return False
        if durability.acts(statement):
            place = durability.place(statement)
            if place is not None and any(
                _may_coincide(place, durability.place(earlier)) for earlier in acted
            ):
                return False
            acted.append(statement)
    return True


def _disturbs(statement: checked.Statement, acted: list[checked.Statement]) -> bool:
    """Whether `statement` changes what an earlier effect has read."""
    read = tuple(
        expression
        for earlier in acted
        for expression in (
            earlier.keys if isinstance(earlier, checked.Assign) else own_expressions(earlier)
        )
    )
    match statement:
        case checked.Assign(variable=variable):
            return variable.name in variables_read(read)
        case checked.Become():
            return any(isinstance(part, checked.InState) for node in read for part in walk(node))
        case _:
            return False


def _may_coincide(place: Place, other: Place | None) -> bool:
    """Whether two places are written differently but may be one, or one holds the other."""
    return other is not None and place.variable == other.variable and place.keys != other.keys
