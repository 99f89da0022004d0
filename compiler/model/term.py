"""Many-sorted first-order terms; formulas are terms of sort `BOOL`.

Equality is structural. Build terms with the functions at the end of this module (`conjunction`,
`equal`, …): they fold constants and flatten, and nothing else; what they return is equal to
what was asked for in every structure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar, Union

_Class = TypeVar("_Class")


class _Hashed:
    """Room for a node's hash. Not a field: another process hashes texts in another way."""

    __slots__ = ("_hash",)
    _hash: int


def _hashed_once(node: type[_Class]) -> type[_Class]:
    """Make a frozen dataclass remember its hash, which otherwise goes through all of a term.

    The types say nothing of the attribute it is kept in, which is no field of the class.
    """
    structural: Callable[[_Class], int] = node.__hash__

    def remembered(self: _Class) -> int:
        try:
            return self._hash  # type: ignore[attr-defined, no-any-return]
        except AttributeError:
            value = structural(self)
            object.__setattr__(self, "_hash", value)
            return value

    node.__hash__ = remembered  # type: ignore[assignment, method-assign]
    return node


@_hashed_once
@dataclass(frozen=True, slots=True)
class Sort(_Hashed):
    """A sort, by name. What kind of sort it is stands in the model's `SortDeclaration`."""

    name: str

    def __str__(self) -> str:
        return self.name


BOOL = Sort("Bool")


@_hashed_once
@dataclass(frozen=True, slots=True)
class Symbol(_Hashed):
    """A function or relation symbol.

    A relation is a symbol of sort `BOOL`. `mutable`: its meaning changes from state to state.
    `unique`: of a relation, how many of its last arguments are determined by the others (it
    is a partial function from the others to them); 0 for a plain relation or a function.
    """

    name: str
    arguments: tuple[Sort, ...]
    result: Sort
    mutable: bool
    unique: int = 0

    def __str__(self) -> str:
        return self.name


@_hashed_once
@dataclass(frozen=True, slots=True)
class Var(_Hashed):
    """A variable: a parameter of an action, or bound by a quantifier or update."""

    name: str
    sort: Sort


@_hashed_once
@dataclass(frozen=True, slots=True)
class Truth(_Hashed):
    """True or false."""

    value: bool

    @property
    def sort(self) -> Sort:
        return BOOL


@_hashed_once
@dataclass(frozen=True, slots=True)
class Element(_Hashed):
    """A member of an enum sort, by its name."""

    name: str
    sort: Sort


@_hashed_once
@dataclass(frozen=True, slots=True)
class Apply(_Hashed):
    """A symbol applied to arguments."""

    symbol: Symbol
    arguments: tuple[Term, ...]

    @property
    def sort(self) -> Sort:
        return self.symbol.result


@_hashed_once
@dataclass(frozen=True, slots=True)
class Equal(_Hashed):
    """Two terms of one sort are equal."""

    left: Term
    right: Term

    @property
    def sort(self) -> Sort:
        return BOOL


@_hashed_once
@dataclass(frozen=True, slots=True)
class Not(_Hashed):
    """Negation."""

    operand: Term

    @property
    def sort(self) -> Sort:
        return BOOL


@_hashed_once
@dataclass(frozen=True, slots=True)
class And(_Hashed):
    """Conjunction of two operands or more."""

    operands: tuple[Term, ...]

    @property
    def sort(self) -> Sort:
        return BOOL


@_hashed_once
@dataclass(frozen=True, slots=True)
class Or(_Hashed):
    """Disjunction of two operands or more."""

    operands: tuple[Term, ...]

    @property
    def sort(self) -> Sort:
        return BOOL


@_hashed_once
@dataclass(frozen=True, slots=True)
class Implies(_Hashed):
    """Implication."""

    left: Term
    right: Term

    @property
    def sort(self) -> Sort:
        return BOOL


@_hashed_once
@dataclass(frozen=True, slots=True)
class Iff(_Hashed):
    """Equivalence."""

    left: Term
    right: Term

    @property
    def sort(self) -> Sort:
        return BOOL


@_hashed_once
@dataclass(frozen=True, slots=True)
class Ite(_Hashed):
    """`then` if `condition` holds, else `otherwise`; of any sort."""

    condition: Term
    then: Term
    otherwise: Term

    @property
    def sort(self) -> Sort:
        return self.then.sort


@_hashed_once
@dataclass(frozen=True, slots=True)
class Quantified(_Hashed):
    """`forall` or `exists` over one variable or more; variables of inner ones may shadow."""

    kind: Literal["forall", "exists"]
    variables: tuple[Var, ...]
    body: Term

    @property
    def sort(self) -> Sort:
        return BOOL


Term: TypeAlias = Union[
    Var, Truth, Element, Apply, Equal, Not, And, Or, Implies, Iff, Ite, Quantified
]

TRUE = Truth(True)
FALSE = Truth(False)


def conjunction(operands: Iterable[Term]) -> Term:
    """Return the conjunction of any number of formulas, flat."""
    flat: list[Term] = []
    for operand in operands:
        match operand:
            case Truth(value=True):
                continue
            case Truth(value=False):
                return FALSE
            case And(operands=inner):
                flat.extend(inner)
            case _:
                flat.append(operand)
    unique = list(dict.fromkeys(flat))
    if not unique:
        return TRUE
    return unique[0] if len(unique) == 1 else And(tuple(unique))


def disjunction(operands: Iterable[Term]) -> Term:
    """Return the disjunction of any number of formulas, flat."""
    flat: list[Term] = []
    for operand in operands:
        match operand:
            case Truth(value=False):
                continue
            case Truth(value=True):
                return TRUE
            case Or(operands=inner):
                flat.extend(inner)
            case _:
                flat.append(operand)
    unique = list(dict.fromkeys(flat))
    if not unique:
        return FALSE
    return unique[0] if len(unique) == 1 else Or(tuple(unique))


def negation(operand: Term) -> Term:
    """Return the negation."""
    match operand:
        case Truth(value=value):
            return Truth(not value)
        case Not(operand=inner):
            return inner
        case _:
            return Not(operand)


def implication(left: Term, right: Term) -> Term:
    """Return `left implies right`."""
    match left, right:
        case Truth(value=True), _:
            return right
        case Truth(value=False), _:
            return TRUE
        case _, Truth(value=True):
            return TRUE
        case _, Truth(value=False):
            return negation(left)
        case _:
            return Implies(left, right)


def equivalence(left: Term, right: Term) -> Term:
    """Return `left iff right`."""
    match left, right:
        case Truth(value=value), _:
            return right if value else negation(right)
        case _, Truth(value=value):
            return left if value else negation(left)
        case _:
            return TRUE if left == right else Iff(left, right)


def equal(left: Term, right: Term) -> Term:
    """Return `left = right` (`iff` for formulas)."""
    if left.sort == BOOL:
        return equivalence(left, right)
    if left == right:
        return TRUE
    if isinstance(left, Element) and isinstance(right, Element):
        return FALSE
    return Equal(left, right)


def ite(condition: Term, then: Term, otherwise: Term) -> Term:
    """Return `then` if `condition` holds, else `otherwise`."""
    match condition:
        case Truth(value=value):
            return then if value else otherwise
        case Not(operand=inner):
            return ite(inner, otherwise, then)
    if then == otherwise:
        return then
    if then.sort == BOOL:
        match then, otherwise:
            case Truth(value=True), _:
                return disjunction((condition, otherwise))
            case Truth(value=False), _:
                return conjunction((negation(condition), otherwise))
            case _, Truth(value=True):
                return disjunction((negation(condition), then))
            case _, Truth(value=False):
                return conjunction((condition, then))
    return Ite(condition, then, otherwise)


def forall(variables: Iterable[Var], body: Term) -> Term:
    """Return the universal closure over `variables` that are free in `body`.

    Sorts are never empty, so a variable that does not occur can be dropped.
    """
    return _quantified("forall", variables, body)


def exists(variables: Iterable[Var], body: Term) -> Term:
    """Return the existential closure over `variables` that are free in `body`."""
    return _quantified("exists", variables, body)


def _quantified(kind: Literal["forall", "exists"], variables: Iterable[Var], body: Term) -> Term:
    variables = tuple(variables)
    free = free_among(variables, body)
    bound = tuple(dict.fromkeys(v for v in variables if v in free))
    if not bound:
        return body
    if isinstance(body, Quantified) and body.kind == kind and not set(bound) & set(body.variables):
        return Quantified(kind, bound + body.variables, body.body)
    return Quantified(kind, bound, body)


def children(term: Term) -> tuple[Term, ...]:
    """Return the direct subterms."""
    match term:
        case Apply(arguments=arguments):
            return arguments
        case And(operands=operands) | Or(operands=operands):
            return operands
        case Var() | Truth() | Element():
            return ()
        case Not(operand=operand):
            return (operand,)
        case Equal(left=left, right=right) | Implies(left=left, right=right):
            return (left, right)
        case Iff(left=left, right=right):
            return (left, right)
        case Ite(condition=condition, then=then, otherwise=otherwise):
            return (condition, then, otherwise)
        case Quantified(body=body):
            return (body,)


def free_variables(term: Term) -> frozenset[Var]:
    """Return the variables that occur free."""
    match term:
        case Var():
            return frozenset((term,))
        case Quantified(variables=variables, body=body):
            return free_variables(body) - frozenset(variables)
        case _:
            return frozenset().union(*[free_variables(child) for child in children(term)])


def free_among(variables: Iterable[Var], term: Term) -> set[Var]:
    """Return those of `variables` that occur free; the search ends when all have been met."""
    missing = set(variables)
    found: set[Var] = set()
    stack: list[Term] = [term]
    while stack and missing:
        current = stack.pop()
        if isinstance(current, Var):
            if current in missing:
                missing.discard(current)
                found.add(current)
        elif isinstance(current, Quantified) and not missing.isdisjoint(current.variables):
            inner = free_among(missing.difference(current.variables), current.body)
            found |= inner
            missing -= inner
        else:
            stack.extend(children(current))
    return found


def symbols_of(term: Term) -> frozenset[Symbol]:
    """Return the symbols that occur."""
    found: set[Symbol] = set()
    stack: list[Term] = [term]
    while stack:
        current = stack.pop()
        if isinstance(current, Apply):
            found.add(current.symbol)
        stack.extend(children(current))
    return frozenset(found)
