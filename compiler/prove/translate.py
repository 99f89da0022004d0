"""Terms to Z3: the only place where the two meet, besides reading a Z3 model back.

Sorts of the model are uninterpreted sorts, enums are Z3's enumerations. A variable is a constant
of its name and sort, bound by Z3 where it is quantified, so a term is translated alike
wherever it stands; terms of one task and of the hypotheses use different names (see `obligations`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

import z3

from compiler.model.term import (
    BOOL,
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
    Truth,
    Var,
)


class Translator:
    """Translates terms in one Z3 context, which holds all declarations once."""

    def __init__(self, members: Mapping[Sort, Sequence[Element]]) -> None:
        """`members` are the elements of the enum sorts."""
        self.context = z3.Context()
        self._members = members
        self._sorts: dict[Sort, Any] = {BOOL: z3.BoolSort(self.context)}
        self._elements: dict[Element, Any] = {}
        self._symbols: dict[Symbol, Any] = {}
        self._variables: dict[Var, Any] = {}

    def sort(self, sort: Sort) -> Any:
        """Return the Z3 sort."""
        found = self._sorts.get(sort)
        if found is None:
            if sort in self._members:
                elements = self._members[sort]
                names = [f"{sort}.{element.name}" for element in elements]
                found, constants = z3.EnumSort(str(sort), names, ctx=self.context)
                self._elements.update(zip(elements, constants, strict=True))
            else:
                found = z3.DeclareSort(str(sort), self.context)
            self._sorts[sort] = found
        return found

    def symbol(self, symbol: Symbol) -> Any:
        """Return the Z3 declaration of a symbol."""
        found = self._symbols.get(symbol)
        if found is None:
            signature = [self.sort(s) for s in (*symbol.arguments, symbol.result)]
            found = z3.Function(symbol.name, *signature)
            self._symbols[symbol] = found
        return found

    def variable(self, variable: Var) -> Any:
        """Return the Z3 constant for a variable."""
        found = self._variables.get(variable)
        if found is None:
            found = z3.Const(f"{variable.name}!{variable.sort}", self.sort(variable.sort))
            self._variables[variable] = found
        return found

    def term(self, term: Term) -> Any:
        """Translate a term or formula."""
        match term:
            case Var():
                return self.variable(term)
            case Truth(value=value):
                return z3.BoolVal(value, self.context)
            case Element(sort=sort):
                self.sort(sort)
                return self._elements[term]
            case Apply(symbol=symbol, arguments=arguments):
                return self.symbol(symbol)(*[self.term(argument) for argument in arguments])
            case Equal(left=left, right=right) | Iff(left=left, right=right):
                return self.term(left) == self.term(right)
            case Not(operand=operand):
                return z3.Not(self.term(operand))
            case And(operands=operands):
                return z3.And([self.term(operand) for operand in operands])
            case Or(operands=operands):
                return z3.Or([self.term(operand) for operand in operands])
            case Implies(left=left, right=right):
                return z3.Implies(self.term(left), self.term(right))
            case Ite(condition=condition, then=then, otherwise=otherwise):
                return z3.If(self.term(condition), self.term(then), self.term(otherwise))
            case Quantified(kind=kind, variables=variables, body=body):
                bound = [self.variable(variable) for variable in variables]
                quantify = z3.ForAll if kind == "forall" else z3.Exists
                return quantify(bound, self.term(body))
        assert_never(term)
