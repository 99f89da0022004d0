"""A model without what only its properties speak of.

Ghost variables are there for proofs: no message, output or variable of a node depends on them. To
know whether a step is one of the model's they are not needed, and some grow with all that ever
happened.
"""

from __future__ import annotations

from dataclasses import replace

from compiler.model.system import Action, Model
from compiler.model.term import Symbol, symbols_of
from runtime.checking.abstraction import symbols_in


def steps_only(model: Model) -> Model:
    """Return the model without properties, and without the ghosts that no step depends on."""
    dropped = _ghosts(model)
    while True:
        needed = {symbol for action in model.actions for symbol in _read(action, dropped)}
        kept = dropped - needed
        if kept == dropped:
            break
        dropped = kept
    actions = tuple(
        replace(
            action,
            updates=tuple(u for u in action.updates if u.symbol not in dropped),
            assertions=tuple(a for a in action.assertions if not symbols_of(a.formula) & dropped),
        )
        for action in model.actions
    )
    return replace(model, actions=actions, properties=())


def _ghosts(model: Model) -> set[Symbol]:
    return {
        symbol
        for role in (*model.roles, model.ghosts)
        for variable in role.variables
        if variable.kind == "ghost"
        for symbol in symbols_in(variable.stored)
    }


def _read(action: Action, dropped: set[Symbol]) -> set[Symbol]:
    """Return what the action's guard reads, and the updates of what is not dropped."""
    terms = [action.guard, *(content.formula for content in action.contents)]
    terms += [update.value for update in action.updates if update.symbol not in dropped]
    return {symbol for term in terms for symbol in symbols_of(term)}
