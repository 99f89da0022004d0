"""Deciding claims about quorums by counting.

A fact such as "two majorities meet" speaks of sets of nodes of any size. What it says of the
sets depends only on how many nodes lie in each region of their Venn diagram (k sets: 2^k regions),
and thresholds are linear in those numbers. So the negated fact becomes a question of linear
integer arithmetic: one whole number a region, their sums the sizes, `exists a: p` a region
where `p` holds with at least one node. If there is no solution the fact holds for every
number of nodes. A solution is a set of actual sizes, made as small as possible and then checked
again by evaluating the fact over real sets of nodes, which uses nothing of the translation.

Nodes are counted exactly, also where a fact quantifies several and compares them: a node that a
quantifier introduces is one of those already introduced, or another one of some region, and for
that the region must hold one more than were taken from it.

Deciding statements about sets and their sizes by counting regions is from Viktor Kuncak, Huu
Hai Nguyen and Martin Rinard, Deciding Boolean Algebra with Presburger Arithmetic, 2006.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import z3

from compiler.model.quorums import evaluate_condition, evaluate_linear
from compiler.model.system import (
    Arithmetic,
    Boolean,
    Comparison,
    Condition,
    Fact,
    Linear,
    Model,
    Number,
    Quantity,
    QuorumLayout,
)
from compiler.model.term import (
    And,
    Apply,
    Equal,
    Not,
    Or,
    Quantified,
    Sort,
    Term,
    Truth,
    Var,
    conjunction,
    disjunction,
)
from compiler.prove.normal import negation_normal, quantified, rename
from compiler.prove.quorums import roles
from compiler.prove.verdict import FactProved, FactRefuted, Unknown

_SETS = 6  # quorums in one fact: 64 regions


class Unsupported(Exception):
    """The fact is outside what counting can decide; the message says why."""


_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_COMPUTE: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": lambda left, right: left / right,
}


@dataclass(frozen=True, slots=True)
class _Set:
    """A quantified quorum."""

    variable: Var
    layout: QuorumLayout


@dataclass(frozen=True, slots=True)
class _Node:
    """A node that a quantifier introduced: the `number`th, which lies in exactly `region`."""

    role: Sort
    region: frozenset[Var]
    number: int


@dataclass(frozen=True, slots=True)
class _Sizes:
    """A solution: whole numbers for everything that was asked."""

    totals: Mapping[str, int]
    parameters: Mapping[str, int]
    regions: Mapping[tuple[Sort, frozenset[Var]], int]
    extra: tuple[int, ...]


class Counting:
    """One claim as a question of linear integer arithmetic."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.quorums = {layout.sort: layout for layout in model.quorums}
        self.members = {layout.member: layout for layout in model.quorums}
        self.roles = roles(model)
        self.totals = {role.name: z3.Int(f"total {role}") for role, _ in self.roles}
        names = [assumption.parameter for assumption in model.assumptions]
        self.parameters = {name: z3.Int(f"parameter {name}") for name in names}
        self.regions: dict[tuple[Sort, frozenset[Var]], Any] = {}
        self.base: list[Any] = [
            self.totals[role.name] == 1 if single else self.totals[role.name] >= 1
            for role, single in self.roles
        ]
        self.base += [parameter >= 0 for parameter in self.parameters.values()]
        self.base += [
            self.condition(assumption.condition, z3.IntVal(0)) for assumption in model.assumptions
        ]
        solver = z3.Solver()
        solver.add(self.base)
        if solver.check() == z3.unsat:
            raise Unsupported("the assumptions allow no number of nodes at all")

    # --- the four kinds of claim ---------------------------------------------------------

    def available(self, quorum: QuorumLayout) -> FactProved | FactRefuted | Unknown:
        """All nodes together are a quorum."""
        total = self.totals[quorum.role.name]
        sizes = self.solve([z3.Not(self.condition(quorum.threshold, total))], ())
        if not isinstance(sizes, _Sizes):
            return sizes
        count = sizes.totals[quorum.role.name]
        if self.meets(quorum, count, sizes):
            return _WRONG
        who = "the only one is" if count == 1 else f"all {count} together are"
        return self.refuted(sizes, {}, f"{who} not a {quorum.sort}")

    def monotone(self, quorum: QuorumLayout) -> FactProved | FactRefuted | Unknown:
        """A set with more nodes than a quorum is one."""
        fewer, more = z3.Int("fewer"), z3.Int("more")
        within = z3.And(fewer >= 0, fewer < more, more <= self.totals[quorum.role.name])
        enough = self.condition(quorum.threshold, fewer)
        too_many = z3.Not(self.condition(quorum.threshold, more))
        sizes = self.solve([within, enough, too_many], (fewer, more))
        if not isinstance(sizes, _Sizes):
            return sizes
        small, large = sizes.extra
        if not self.meets(quorum, small, sizes) or self.meets(quorum, large, sizes):
            return _WRONG
        text = f"{_nodes(small)} {_are(small)} a {quorum.sort} and {_nodes(large)} are not"
        return self.refuted(sizes, {}, text)

    def survival(self, fact: Fact) -> FactProved | FactRefuted | Unknown:
        """With some nodes gone (all of them, if more are said to go than there are) one is left."""
        assert fact.quorum is not None
        assert fact.crashes is not None
        quorum = self.quorums[fact.quorum]
        total = self.totals[quorum.role.name]
        crashes = self.linear(fact.crashes, z3.IntVal(0))
        left = z3.If(crashes > total, 0, total - crashes)
        wrong = [crashes >= 0, z3.Not(self.condition(quorum.threshold, left))]
        sizes = self.solve(wrong, ())
        if not isinstance(sizes, _Sizes):
            return sizes
        count = sizes.totals[quorum.role.name]
        gone = evaluate_linear(fact.crashes, 0, sizes.totals, sizes.parameters)
        rest = max(0, count - gone)
        if gone < 0 or self.meets(quorum, rest, sizes):
            return _WRONG
        crash = "crashes" if gone == 1 else "crash"
        remain = "no node is left" if rest == 0 else f"the {rest} left {_are(rest)} not"
        remain += f" to be a {quorum.sort}" if rest == 0 else f" a {quorum.sort}"
        return self.refuted(sizes, {}, f"if {gone} {crash}, {remain}")

    def fact(self, name: str, formula: Term) -> FactProved | FactRefuted | Unknown:
        """A formula over members of quorums."""
        apart = _apart(formula)
        sets, body = self.outer_sets(negation_normal(apart, False))
        if len(sets) > _SETS:
            raise Unsupported(f"it speaks of more than {_SETS} quorums at once")
        constraints: list[Any] = []
        for role, _ in self.roles:
            own = [s.variable for s in sets if s.layout.role == role]
            for inside in itertools.product((False, True), repeat=len(own)):
                region = frozenset(v for v, is_in in zip(own, inside, strict=True) if is_in)
                label = " ".join(sorted(v.name for v in region))
                self.regions[role, region] = z3.Int(f"region {role} {label}")
            counts = [count for (r, _), count in self.regions.items() if r == role]
            constraints += [count >= 0 for count in counts]
            constraints.append(z3.Sum(counts) == self.totals[role.name])
        for each in sets:
            size = z3.Sum([c for (_, r), c in self.regions.items() if each.variable in r])
            constraints.append(self.condition(each.layout.threshold, size))
        constraints.append(self.holds(body, {}))
        sizes = self.solve(constraints, ())
        if not isinstance(sizes, _Sizes):
            return sizes
        if not self.recheck(sets, body, sizes):
            return _WRONG
        names = [s.variable.name for s in sets]
        shown = {
            tuple(n for n in names if n in {v.name for v in region}): count
            for (_, region), count in sizes.regions.items()
            if count and region
        }
        return self.refuted(sizes, shown, _story(name, sets, sizes))

    # --- formulas to arithmetic ----------------------------------------------------------

    def outer_sets(self, formula: Term) -> tuple[tuple[_Set, ...], Term]:
        """Return the existentially quantified quorums of a negated fact, and the rest of it."""
        sets: list[_Set] = []

        def visit(term: Term, outer: bool) -> Term:
            match term:
                case And(operands=operands):
                    return conjunction([visit(operand, outer) for operand in operands])
                case Or(operands=operands):
                    return disjunction([visit(operand, outer) for operand in operands])
                case Quantified(kind=kind, variables=variables, body=body):
                    quorums = [v for v in variables if v.sort in self.quorums]
                    nodes = [v for v in variables if v.sort not in self.quorums]
                    if quorums and (kind == "forall" or not outer):
                        raise Unsupported(
                            f"it asks for a {quorums[0].sort} that depends on other sets or nodes;"
                            " only facts about all quorums can be counted"
                        )
                    sets.extend(_Set(v, self.quorums[v.sort]) for v in quorums)
                    inner = visit(body, outer and kind == "exists")
                    return quantified(kind, nodes, inner)
                case _:
                    return term

        rest = visit(formula, True)
        return tuple(sets), rest

    def holds(self, formula: Term, scope: Mapping[Var, _Node]) -> Any:
        """Return the arithmetic formula that says that `formula` holds of the nodes in scope."""
        match formula:
            case Truth(value=value):
                return z3.BoolVal(value)
            case Not(operand=operand):
                return z3.Not(self.holds(operand, scope))
            case And(operands=operands):
                return z3.And([self.holds(operand, scope) for operand in operands])
            case Or(operands=operands):
                return z3.Or([self.holds(operand, scope) for operand in operands])
            case Equal(left=left, right=right):
                return z3.BoolVal(self.node(left, scope) == self.node(right, scope))
            case Apply(symbol=symbol, arguments=(element, quorum)) if symbol in self.members:
                return z3.BoolVal(quorum in self.node(element, scope).region)
            case Quantified(kind=kind, variables=variables, body=body):
                first, *rest = variables
                inner = quantified(kind, rest, body)
                return self.each_node(kind == "forall", first, inner, scope)
            case Apply(symbol=symbol):
                raise Unsupported(f"it speaks of {symbol.name}, not only of members of quorums")
            case _:
                raise Unsupported("it is not about members of quorums")

    def each_node(
        self, universal: bool, variable: Var, body: Term, scope: Mapping[Var, _Node]
    ) -> Any:
        """Quantify over the nodes of a role: those in scope, and another one of each region."""
        known = dict.fromkeys(node for node in scope.values() if node.role == variable.sort)
        parts = [self.holds(body, {**scope, variable: node}) for node in known]
        for (role, region), count in self.regions.items():
            if role != variable.sort:
                continue
            taken = sum(node.region == region for node in known)
            another = _Node(role, region, len(scope))
            inside = self.holds(body, {**scope, variable: another})
            if universal:
                parts.append(z3.Or(count < taken + 1, inside))
            else:
                parts.append(z3.And(count >= taken + 1, inside))
        if not parts:
            raise Unsupported(f"it quantifies over {variable.sort}, which is not a role")
        return z3.And(parts) if universal else z3.Or(parts)

    def node(self, term: Term, scope: Mapping[Var, _Node]) -> _Node:
        """Return the node that a variable stands for."""
        found = scope.get(term) if isinstance(term, Var) else None
        if found is None:
            raise Unsupported("it compares quorums, or speaks of a particular node")
        return found

    def condition(self, condition: Condition, size: Any) -> Any:
        """Translate a threshold or assumption, with `size` for the size of the set."""
        match condition:
            case Comparison(operator=symbol, left=left, right=right):
                return _COMPARE[symbol](self.linear(left, size), self.linear(right, size))
            case Boolean(operator=connective, operands=operands):
                parts = [self.condition(operand, size) for operand in operands]
                if connective == "not":
                    return z3.Not(parts[0])
                return z3.Or(parts) if connective == "or" else z3.And(parts)
        assert_never(condition)

    def linear(self, term: Linear, size: Any) -> Any:
        """Translate a linear term; Z3's division by a positive number rounds down, as ours."""
        match term:
            case Number(value=value):
                return z3.IntVal(value)
            case Quantity(kind=kind, name=name):
                if kind == "size":
                    return size
                return self.totals[name] if kind == "total" else self.parameters[name]
            case Arithmetic(operator=symbol, left=left, right=right):
                return _COMPUTE[symbol](self.linear(left, size), self.linear(right, size))
        assert_never(term)

    # --- solutions -----------------------------------------------------------------------

    def solve(
        self, constraints: Sequence[Any], extra: Sequence[Any]
    ) -> _Sizes | FactProved | Unknown:
        """Return the smallest solution: fewest nodes, then the least parameters and regions."""
        solver = z3.Solver()
        solver.add(self.base)
        solver.add(list(constraints))
        answer = solver.check()
        if answer == z3.unsat:
            return FactProved()
        if answer != z3.sat:
            return Unknown(f"the solver gave up ({solver.reason_unknown()})")
        numbers = [*self.totals.values(), *self.parameters.values(), *extra]
        numbers += self.regions.values()
        nodes = z3.Sum(list(self.totals.values()))
        for quantity in (nodes, *numbers):
            best = solver.model().eval(quantity, model_completion=True).as_long()
            while best > 0:
                solver.push()
                solver.add(quantity < best)
                smaller = solver.check() == z3.sat
                if smaller:
                    best = solver.model().eval(quantity, model_completion=True).as_long()
                solver.pop()
                if not smaller:
                    break
            solver.add(quantity == best)
            if solver.check() != z3.sat:
                return Unknown("the solver gave up while looking for small sizes")
        model = solver.model()

        def value(number: Any) -> int:
            return int(model.eval(number, model_completion=True).as_long())

        return _Sizes(
            {name: value(number) for name, number in self.totals.items()},
            {name: value(number) for name, number in self.parameters.items()},
            {key: value(number) for key, number in self.regions.items()},
            tuple(value(number) for number in extra),
        )

    def meets(self, quorum: QuorumLayout, size: int, sizes: _Sizes) -> bool:
        """Whether `size` nodes are a quorum, by evaluating the threshold."""
        return evaluate_condition(quorum.threshold, size, sizes.totals, sizes.parameters)

    def recheck(self, sets: Iterable[_Set], body: Term, sizes: _Sizes) -> bool:
        """Whether real sets of these sizes are quorums and satisfy the negated fact `body`."""
        nodes: dict[Sort, list[tuple[str, int]]] = {role: [] for role, _ in self.roles}
        content: dict[Var, set[tuple[str, int]]] = {each.variable: set() for each in sets}
        for (role, region), count in sizes.regions.items():
            for _ in range(count):
                node = (role.name, len(nodes[role]))
                nodes[role].append(node)
                for variable in region:
                    content[variable].add(node)
        return (
            all(
                evaluate_condition(a.condition, 0, sizes.totals, sizes.parameters)
                for a in self.model.assumptions
            )
            and all(len(nodes[role]) == sizes.totals[role.name] for role, _ in self.roles)
            and all(self.meets(each.layout, len(content[each.variable]), sizes) for each in sets)
            and _evaluate(body, {}, nodes, content)
        )

    def refuted(
        self, sizes: _Sizes, regions: Mapping[tuple[str, ...], int], text: str
    ) -> FactRefuted:
        """Return the refutation, the quantities named as in the spec."""
        roles = {layout.role.name for layout in self.model.quorums}
        quantities = {name: n for name, n in sizes.totals.items() if name in roles}
        with_ = [f"{_nodes(count)} of {name}" for name, count in quantities.items()]
        with_ += [f"{name} = {value}" for name, value in sizes.parameters.items()]
        explanation = f"with {_listed(with_)}, {text}"
        return FactRefuted({**quantities, **sizes.parameters}, regions, explanation)


_WRONG = Unknown("the solver's sizes do not refute it when they are evaluated")


def _apart(formula: Term) -> Term:
    """Give each bound variable a name of its own, close to the one it had."""
    taken: set[str] = set()

    def fresh(variable: Var) -> Var:
        name, number = variable.name, 1
        while name in taken:
            number += 1
            name = f"{variable.name}{number}"
        taken.add(name)
        return Var(name, variable.sort)

    return rename(formula, fresh, {})


_Place = tuple[str, int]


def _evaluate(
    formula: Term,
    scope: Mapping[Var, _Place],
    nodes: Mapping[Sort, Sequence[_Place]],
    sets: Mapping[Var, set[_Place]],
) -> bool:
    """Evaluate a formula over actual nodes and sets."""
    match formula:
        case Truth(value=value):
            return value
        case Not(operand=operand):
            return not _evaluate(operand, scope, nodes, sets)
        case And(operands=operands):
            return all(_evaluate(operand, scope, nodes, sets) for operand in operands)
        case Or(operands=operands):
            return any(_evaluate(operand, scope, nodes, sets) for operand in operands)
        case Equal(left=Var() as left, right=Var() as right):
            return scope[left] == scope[right]
        case Apply(arguments=(Var() as element, Var() as quorum)):
            return scope[element] in sets[quorum]
        case Quantified(kind=kind, variables=(first, *rest), body=body):
            inner = quantified(kind, rest, body)
            found = (
                _evaluate(inner, {**scope, first: node}, nodes, sets) for node in nodes[first.sort]
            )
            return all(found) if kind == "forall" else any(found)
        case _:
            raise AssertionError("not a formula that counting decides")


# --- in words ----------------------------------------------------------------------------


def _story(name: str, sets: Sequence[_Set], sizes: _Sizes) -> str:
    """Say which sets break the fact called `name`."""
    if not sets:
        return f"{name} does not hold"
    counts = [
        sum(count for (_, region), count in sizes.regions.items() if each.variable in region)
        for each in sets
    ]
    kinds = [str(each.layout.sort) for each in sets]
    same_role = len({each.layout.role for each in sets}) == 1
    common = sum(
        count
        for (_, region), count in sizes.regions.items()
        if all(each.variable in region for each in sets)
    )
    if len(sets) == 2 and same_role:
        first, second = counts
        other = "other " if common == 0 and first else ""
        pair = f"{{{_nodes(first)}}} and {{{_nodes(second, other)}}}"
        if kinds[0] == kinds[1]:
            both = f"{pair} are both a {kinds[0]}"
        else:
            both = f"{pair} are a {kinds[0]} and a {kinds[1]}"
        if common == 0:
            return f"{both} and share none"
        return f"{both} and share {_nodes(common)}, but {name} does not hold"
    parts = [f"{{{_nodes(count)}}} is a {kind}" for count, kind in zip(counts, kinds, strict=True)]
    text = _listed(parts)
    if len(sets) > 2 and same_role and common == 0:
        return f"{text}, and no node is in all of them"
    return f"{text}, but {name} does not hold"


def _nodes(count: int, other: str = "") -> str:
    return f"{count} {other}node" if count == 1 else f"{count} {other}nodes"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _listed(parts: Sequence[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
