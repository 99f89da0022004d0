"""A finite state in which an obligation fails, from Z3, with few elements of each sort.

The models that Z3 gives of quantified formulas have dozens of elements or are not found at
all. With "sort S has at most k elements" added for every sort the question is decidable, and k
is raised until there is an answer; then each sort is made smaller by itself. Functions are total
here: in a finite state that costs nothing, and it tells a real failure from one in a state
that has no value for a function.

It is the fallback for the grounded search, which asks for less general sizes and is faster.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import z3

from compiler.model.structure import Row, Structure, Value
from compiler.model.system import SortDeclaration
from compiler.model.term import BOOL, Apply, Sort, Symbol, Var, exists, forall
from compiler.prove.obligations import Obligations, Task
from compiler.prove.translate import Translator


@dataclass(frozen=True, slots=True)
class Found:
    """A state of the encoded model, and the values of the encoded action's parameters.

    For an initial obligation `arguments` is empty.
    """

    structure: Structure
    arguments: Mapping[Var, Value]


def find_structure(
    work: Obligations, task: Task, *, largest: int = 4, seconds: float = 10.0, seed: int = 0
) -> Found | None:
    """Return a state that satisfies the hypotheses and breaks `task`, or None.

    `largest` bounds the elements of each sort. None is no proof: it may mean that there is
    none so small, or that time ran out.
    """
    search = _Search(work, task, time.monotonic() + seconds, seed)
    for bound in range(1, largest + 1):
        bounds = dict.fromkeys(search.sorts, bound)
        model = search.satisfy(bounds)
        if model is None:
            continue
        for sort in search.sorts:
            while bounds[sort] > 1:
                smaller = search.satisfy({**bounds, sort: bounds[sort] - 1})
                if smaller is None:
                    break
                model, bounds = smaller, {**bounds, sort: bounds[sort] - 1}
        return search.read(model, bounds)
    return None


class _Search:
    def __init__(self, work: Obligations, task: Task, deadline: float, seed: int) -> None:
        self.work = work
        self.task = task
        self.deadline = deadline
        self.seed = seed
        self.translator = Translator(work.members)
        self.sorts = [d.sort for d in work.model.sorts if d.kind != "enum"]
        hypotheses = (*work.axioms, *work.properties) if task.inductive else work.axioms
        formulas = [*task.formulas, *(h.formula for h in hypotheses)]
        if task.inductive:
            formulas += [_total(symbol) for symbol in work.total]
        self.formulas = [self.translator.term(formula) for formula in formulas]

    def element(self, sort: Sort, number: int) -> Any:
        return self.translator.variable(Var(f"element{number}", sort))

    def satisfy(self, bounds: Mapping[Sort, int]) -> Any:
        """Return a Z3 model with at most so many elements of each sort, or None."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            return None
        solver = z3.SimpleSolver(ctx=self.translator.context)
        solver.set("timeout", max(1, int(left * 1000)))
        solver.set("random_seed", self.seed)
        solver.add(self.formulas)
        for sort, bound in bounds.items():
            any_ = self.translator.variable(Var("any", sort))
            is_one = z3.Or([any_ == self.element(sort, number) for number in range(bound)])
            solver.add(z3.ForAll([any_], is_one))
        for declaration in self.work.model.sorts:
            if declaration.less is not None and declaration.next is not None:
                solver.add(list(self._gapless(declaration.less, declaration.next, bounds)))
        return solver.model() if solver.check() == z3.sat else None

    def _gapless(
        self, less: Symbol, following: Symbol, bounds: Mapping[Sort, int]
    ) -> Iterator[Any]:
        """Yield that each element of a counter but the last has a next one.

        Element by element: with a quantifier for "nothing is between" the solver does not end.
        """
        below, follows = self.translator.symbol(less), self.translator.symbol(following)
        sort = less.arguments[0]
        elements = [self.element(sort, number) for number in range(bounds[sort])]
        for a, b in itertools.permutations(elements, 2):
            between = [z3.And(below(a, c), below(c, b)) for c in elements]
            yield z3.Implies(z3.And(below(a, b), z3.Not(z3.Or(between))), follows(a, b))

    def read(self, model: Any, bounds: Mapping[Sort, int]) -> Found:
        """Turn a Z3 model into a structure."""
        values: dict[Sort, list[tuple[Any, Value]]] = {
            BOOL: [(z3.BoolVal(truth, self.translator.context), truth) for truth in (False, True)]
        }
        for declaration in self.work.model.sorts:
            values[declaration.sort] = self.carrier(model, declaration, bounds)

        def evaluate(term: Any) -> Any:
            return model.eval(term, model_completion=True)

        def named(sort: Sort, term: Any) -> Value:
            result = evaluate(term)
            return next(value for element, value in values[sort] if element.eq(result))

        relations: dict[Symbol, frozenset[Row]] = {}
        functions: dict[Symbol, dict[Row, Value]] = {}
        for symbol in self.work.model.symbols:
            declared = self.translator.symbol(symbol)
            rows = itertools.product(*(values[sort] for sort in symbol.arguments))
            found = {
                tuple(value for _, value in row): named(
                    symbol.result, declared(*[element for element, _ in row])
                )
                for row in rows
            }
            if symbol.result == BOOL:
                relations[symbol] = frozenset(row for row, holds in found.items() if holds)
            else:
                functions[symbol] = found
        carriers = {
            sort: tuple(value for _, value in pairs)
            for sort, pairs in values.items()
            if sort != BOOL
        }
        obligation = self.task.obligation
        arguments: dict[Var, Value] = {}
        if obligation.action is not None:
            actions = {action.name: action for action in self.work.model.actions}
            for number, parameter in enumerate(actions[obligation.action.name].parameters, 1):
                constant = self.translator.variable(Var(f"p{number}", parameter.sort))
                arguments[parameter] = named(parameter.sort, constant)
        return Found(Structure(carriers, relations, functions), arguments)

    def carrier(
        self, model: Any, declaration: SortDeclaration, bounds: Mapping[Sort, int]
    ) -> list[tuple[Any, Value]]:
        """Return the elements of a sort, as Z3's and as the structure's, ordered ones ascending."""
        sort = declaration.sort
        if declaration.kind == "enum":
            return [(self.translator.term(e), e.name) for e in self.work.members[sort]]
        distinct: list[Any] = []
        for number in range(bounds[sort]):
            element = model.eval(self.element(sort, number), model_completion=True)
            if not any(element.eq(other) for other in distinct):
                distinct.append(element)
        if declaration.less is not None:
            less = self.translator.symbol(declaration.less)
            below = [
                sum(z3.is_true(model.eval(less(a, b), model_completion=True)) for a in distinct)
                for b in distinct
            ]
            distinct = [distinct[i] for i in sorted(range(len(distinct)), key=below.__getitem__)]
        return [(element, f"{sort}{number}") for number, element in enumerate(distinct)]


def _total(symbol: Symbol) -> Any:
    """Return the formula that the function behind a functional relation is total."""
    columns = tuple(Var(f"x{number}", sort) for number, sort in enumerate(symbol.arguments))
    return forall(columns[:-1], exists(columns[-1:], Apply(symbol, columns)))
