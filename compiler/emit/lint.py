"""What the linters of Python object to in a spec's own choices, so that a module can say so."""

from __future__ import annotations

from compiler.check import checked
from compiler.check.types import EnumType
from compiler.emit.scopes import Names
from compiler.emit.simplify import executable

PlaceKey = str | int
"""The state, a variable's name, or a binding's number."""


def compares_again(handler: checked.Handler) -> bool:
    """Whether a handler compares an enum or the state after it compared or assigned it.

    A type checker then knows more of the value than the type says, and calls a comparison
    whose outcome it can foresee a mistake. Whether it does so here is not worth finding out.
    """
    known: set[PlaceKey] = {"state"} if handler.state is not None else set()
    for node in checked.walk((handler.guard, *executable(handler.body))):
        match node:
            case checked.InState():
                if "state" in known:
                    return True
                known.add("state")
            case checked.Compare(left=left, right=right) if isinstance(left.type, EnumType):
                for place in _places(left, right):
                    if place in known:
                        return True
                    known.add(place)
            case checked.Become():
                known.add("state")
            case checked.Assign(variable=variable, keys=()):
                known.add(variable.name)
            case _:
                pass
    return False


def _places(*sides: checked.Expression) -> list[PlaceKey]:
    places: list[PlaceKey] = []
    for side in sides:
        match side:
            case checked.Read(variable=variable):
                places.append(variable.name)
            case checked.Local(binding=binding):
                places.append(binding.number)
            case _:
                pass
    return places


def unconventional(protocol: checked.Protocol, names: Names) -> bool:
    """Whether the module has names that Python's conventions would write in another way."""
    given = names.module.given.items()
    classes = [name for key, name in given if isinstance(key, tuple) and key[0] in _CLASSES]
    variables = [
        name
        for scope in (names.cluster, *names.fields.values(), *names.nodes.values())
        for name in scope.given.values()
    ]
    for role in protocol.roles:
        for node in checked.walk(role.handlers):
            if isinstance(node, checked.Binding):
                variables.append(node.name)
    return any(not name[:1].isupper() or "_" in name for name in classes) or any(
        name != name.lower() or name == "l" for name in variables
    )


_CLASSES = {"type", "signature", "role", "states", "timer"}
