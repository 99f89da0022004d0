"""A vocabulary with one symbol of every kind, and random terms and structures over it."""

from __future__ import annotations

import random
from itertools import product

from compiler.model.evaluate import BOOLEANS
from compiler.model.structure import Row, Structure, Value
from compiler.model.term import (
    BOOL,
    FALSE,
    TRUE,
    And,
    Apply,
    Element,
    Equal,
    Iff,
    Implies,
    Ite,
    Not,
    Or,
    Quantified,
    Sort,
    Symbol,
    Term,
    Var,
)

NODE, TIME, VALUE, MODE = Sort("Node"), Sort("Time"), Sort("Value"), Sort("Mode")
SORTS = (NODE, TIME, VALUE, MODE, BOOL)
MODES = ("Idle", "Busy")

LESS = Symbol("Time.<", (TIME, TIME), BOOL, mutable=False)
SEEN = Symbol("Node.seen", (NODE, TIME), BOOL, mutable=True)
LINK = Symbol("Node.link", (NODE, NODE), BOOL, mutable=True)
UP = Symbol("Node.up", (NODE,), BOOL, mutable=True)
VOTE = Symbol("Node.vote", (NODE, TIME, VALUE), BOOL, mutable=True, unique=2)
NOTE = Symbol("Node.note", (NODE, VALUE, BOOL), BOOL, mutable=True)
ON = Symbol("ghost.on", (), BOOL, mutable=True)
TERM = Symbol("Node.term", (NODE,), TIME, mutable=True)
OWNER = Symbol("Time.owner", (TIME,), NODE, mutable=False)
ZERO = Symbol("Time.zero", (), TIME, mutable=False)
STATUS = Symbol("Node.status", (NODE, VALUE), MODE, mutable=True)
NEXT = Symbol("Node.next", (NODE,), NODE, mutable=True)
SYMBOLS = (LESS, SEEN, LINK, UP, VOTE, NOTE, ON, TERM, OWNER, ZERO, STATUS, NEXT)


def random_structure(rng: random.Random, mutable_from: Structure | None = None) -> Structure:
    """Return a structure; with `mutable_from`, one over the same carriers and rigid symbols."""
    if mutable_from is None:
        carriers: dict[Sort, tuple[Value, ...]] = {
            NODE: tuple(f"n{i}" for i in range(rng.randint(1, 3))),
            TIME: tuple(range(rng.randint(1, 3))),
            VALUE: tuple(f"v{i}" for i in range(rng.randint(1, 2))),
            MODE: MODES,
        }
    else:
        carriers = dict(mutable_from.carriers)
    relations: dict[Symbol, frozenset[Row]] = {}
    functions: dict[Symbol, dict[Row, Value]] = {}
    for symbol in SYMBOLS:
        columns = [BOOLEANS if sort == BOOL else carriers[sort] for sort in symbol.arguments]
        rows = list(product(*columns))
        if symbol.result != BOOL:
            functions[symbol] = {row: rng.choice(carriers[symbol.result]) for row in rows}
            continue
        if symbol == LESS:
            order = carriers[TIME]
            kept: list[Row] = [(a, b) for i, b in enumerate(order) for a in order[:i]]
        else:
            kept = [row for row in rows if rng.random() < 0.4]
        if symbol.unique:
            determining = len(symbol.arguments) - symbol.unique
            kept = list({row[:determining]: row for row in kept}.values())
        relations[symbol] = frozenset(kept)
    return Structure(carriers, relations, functions)


class RandomTerms:
    """Draws terms; `scope` are the variables they may mention, at least one of each sort."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._names = 0

    def formula(self, depth: int, scope: tuple[Var, ...]) -> Term:
        rng = self._rng
        if depth == 0 or rng.random() < 0.15:
            return self._atom(depth, scope)
        inner = depth - 1
        match rng.randrange(9):
            case 0 | 1:
                operands = tuple(self.formula(inner, scope) for _ in range(rng.randint(2, 3)))
                return And(operands)
            case 2:
                operands = tuple(self.formula(inner, scope) for _ in range(rng.randint(2, 3)))
                return Or(operands)
            case 3:
                return Not(self.formula(inner, scope))
            case 4:
                return Implies(self.formula(inner, scope), self.formula(inner, scope))
            case 5:
                if rng.random() < 0.5:
                    return Iff(self.formula(inner, scope), self.formula(inner, scope))
                return Ite(*(self.formula(inner, scope) for _ in range(3)))
            case 6:
                return self.join(scope)
            case _:
                variables = tuple(self._variable() for _ in range(rng.randint(1, 3)))
                body = self.formula(inner, scope + variables)
                return Quantified(rng.choice(("forall", "exists")), variables, body)

    def join(self, scope: tuple[Var, ...]) -> Term:
        """Return a formula of the shape that invariants have."""
        rng = self._rng
        variables = tuple(self._variable() for _ in range(rng.randint(2, 4)))
        inner = scope + variables
        literals = tuple(
            self.formula(rng.choice((0, 0, 0, 1)), inner) for _ in range(rng.randint(2, 5))
        )
        if rng.random() < 0.5:
            body: Term = Implies(And(literals), self.formula(1, inner))
            return Quantified("forall", variables, body)
        return Quantified("exists", variables, And(literals))

    def term(self, sort: Sort, depth: int, scope: tuple[Var, ...]) -> Term:
        rng = self._rng
        if sort == BOOL:
            return self.formula(min(depth, 1), scope)
        # The last ones are the innermost: those are to be mentioned most.
        variables = [variable for variable in scope if variable.sort == sort][-3:]
        if variables and (depth == 0 or rng.random() < 0.6):
            return rng.choice(variables)
        if sort == MODE and rng.random() < 0.5:
            return Element(rng.choice(MODES), MODE)
        if depth > 0 and rng.random() < 0.2:
            then, otherwise = (self.term(sort, depth - 1, scope) for _ in range(2))
            return Ite(self.formula(1, scope), then, otherwise)
        makers = [symbol for symbol in SYMBOLS if symbol.result == sort]
        if not makers:  # no function has values of an opaque sort
            return rng.choice(variables)
        if depth == 0:
            makers = sorted(makers, key=lambda symbol: len(symbol.arguments))[:1]
        return self._application(rng.choice(makers), max(depth - 1, 0), scope)

    def _application(self, symbol: Symbol, depth: int, scope: tuple[Var, ...]) -> Term:
        return Apply(symbol, tuple(self.term(s, depth, scope) for s in symbol.arguments))

    def _atom(self, depth: int, scope: tuple[Var, ...]) -> Term:
        rng = self._rng
        choice = rng.random()
        if choice < 0.05:
            return rng.choice((TRUE, FALSE))
        booleans = [variable for variable in scope if variable.sort == BOOL]
        if choice < 0.15 and booleans:
            return rng.choice(booleans)
        if choice < 0.4:
            sort = rng.choice((NODE, TIME, VALUE, MODE))
            return Equal(self.term(sort, 1, scope), self.term(sort, 1, scope))
        relations = [symbol for symbol in SYMBOLS if symbol.result == BOOL]
        return self._application(rng.choice(relations), min(depth, 2), scope)

    def _variable(self) -> Var:
        sort = self._rng.choice(SORTS)
        # Few names, so that inner quantifiers shadow outer ones.
        return Var(f"x{self._rng.randrange(4)}", sort)


def parameters(rng: random.Random) -> tuple[Var, ...]:
    """Return one parameter of each sort, in a random order."""
    chosen = [Var(f"p{i}", sort) for i, sort in enumerate(SORTS)]
    rng.shuffle(chosen)
    return tuple(chosen)
