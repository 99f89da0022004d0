"""The code's values and variables in the terms of the model.

The abstraction keeps the model's state for a run, in carriers that hold the values which the
run has spoken of so far. A value that comes up for the first time is put into its carrier,
and then every symbol has its initial meaning there: the state is the one that there would be
if the value had been in the carrier all along. The carrier of a counter has no gaps, and goes on
above the highest value for as many steps as a handler can count in one step. That of a sort of
sets has those that were in messages, requests and outputs, as sets of rows. What a node's
variables hold is mapped by the layouts, which say where a variable lies in the model's symbols.
"""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias, assert_never, cast

from compiler.model.layout import (
    Flat,
    Leaf,
    Product,
    SignatureLayout,
    Stored,
    StoredLeaf,
    StoredMap,
    StoredOption,
    StoredProduct,
    StoredSet,
    leaves,
)
from compiler.model.structure import Row, Structure
from compiler.model.successors import extend, initial_structure, rigid_structure
from compiler.model.system import Model
from compiler.model.term import BOOL, Apply, Sort, Symbol, Term, Var, children
from runtime.contract import Message, Module, NodeId, Role
from runtime.membership import parameters

Rows: TypeAlias = dict[Symbol, dict[Row, Hashable]]
"""The meaning of symbols at some rows; of a relation the rows of which it holds, with True."""


class CheckingError(Exception):
    """A module and a model do not belong together; the message says how they differ."""


class Foreign(Exception):
    """A value is not, and cannot become, an element of a sort."""


@dataclass(frozen=True, slots=True)
class Unnamed:
    """An element that stands for all values of a sort that a run has not spoken of."""

    sort: str

    def __repr__(self) -> str:
        return f"<another {self.sort}>"


class Abstraction:
    """The model's state for one run, and the way into it.

    `structure` is the state; the monitor moves it on. `members` are its carriers as sets.
    """

    def __init__(
        self, model: Model, module: Module, cluster: Any, code: Mapping[NodeId, Role]
    ) -> None:
        self._model = model
        self._kinds = {declaration.sort: declaration for declaration in model.sorts}
        self._layouts = {role.name: role for role in model.roles}
        # How far the carrier of a counter goes on above what the run has spoken of.
        self._spare = {
            declaration.sort: headroom(model, declaration.next)
            for declaration in model.sorts
            if declaration.next is not None
        }
        self._size = 0  # how often a carrier has grown
        self.members: dict[Sort, set[Hashable]] = {}
        self._highest: dict[Sort, Any] = {Sort(n): zero for n, zero in module.ORDEREDS.items()}
        self._initial: Structure | None = None
        self.structure = self._first_structure(module, cluster, code)
        self._initial = self.structure

    # --- values --------------------------------------------------------------------------

    def columns(self, shape: Flat, value: Any) -> Row:
        """Return the columns of a flat value."""
        match shape:
            case Leaf(sort=sort):
                return (self.element(sort, value),)
            case Product(parts=parts):
                values = zip(parts, _parts(value), strict=True)
                return tuple(column for part, v in values for column in self.columns(part, v))
            case _:
                assert_never(shape)

    def element(self, sort: Sort, value: Any) -> Hashable:
        """Return the element that `value` is, after growing the carrier if it is new."""
        if isinstance(value, enum.Enum):
            value = value.value
        if sort == BOOL:
            return bool(value)
        element: Hashable = value
        shape = self._kinds[sort].element
        if shape is not None:
            element = frozenset([self.columns(shape, member) for member in value])
        if sort in self._spare:
            self._count_to(sort, value)
        elif element not in self.members[sort]:
            self._grow(sort, element)
        if sort in self._highest and value > self._highest[sort]:
            self._highest[sort] = value
        return element

    def some_element(self, sort: Sort) -> Hashable:
        """Return the first element of a sort."""
        return False if sort == BOOL else self.structure.carriers[sort][0]

    def content(self, layout: SignatureLayout, message: Message) -> tuple[tuple[bool, ...], Row]:
        """Return which option fields of a message are some, and the columns of what is there."""
        present: list[bool] = []
        columns: list[Hashable] = []
        for field_, value in zip(layout.fields, field_values(message), strict=True):
            if field_.optional:
                present.append(value is not None)
                if value is None:
                    continue
            columns += self.columns(field_.shape, value)
        return tuple(present), tuple(columns)

    # --- a node's variables ---------------------------------------------------------------

    def rows(self, code: Role) -> Rows:
        """Return the meaning of the role's symbols at all the rows of this node."""
        size = self._size
        rows = self._rows_of(code)
        if self._size != size:  # a value was new: the rows of maps have become more
            rows = self._rows_of(code)
        return rows

    def stored(self, role: str) -> list[tuple[str, Stored]]:
        """Return the variables of a role that code and model both have, and where they lie."""
        return [
            (variable.name, variable.stored)
            for variable in self._layouts[role].variables
            if variable.kind not in ("ghost", "const") and variable.name != "phase"
        ]

    def rows_at(self, stored: Stored, value: Any, prefix: Row) -> Rows:
        """Return the meaning of a variable, or of the entry of a map, at the rows of `prefix`."""
        rows: Rows = {}
        self._store(stored, value, prefix, rows)
        return rows

    def initial_rows_at(self, stored: Stored, prefix: Row) -> Rows:
        """Return what `rows_at` would for the initial value."""
        assert self._initial is not None
        rows: Rows = {}
        for symbol in symbols_in(stored):
            table = rows.setdefault(symbol, {})
            if symbol.result == BOOL:
                known = self._initial.relations[symbol]
                if known:
                    table |= {row: True for row in known if row[: len(prefix)] == prefix}
            elif len(symbol.arguments) == len(prefix):
                table[prefix] = self._initial.functions[symbol][prefix]
            else:
                table |= self._defaults(symbol, prefix, len(prefix), set())
        return rows

    def _rows_of(self, code: Role, constants: bool = False) -> Rows:
        rows: Rows = {}
        for variable in self._layouts[code.ROLE].variables:
            if variable.kind == "ghost" or variable.name == "phase":
                continue  # only the model has these
            if (variable.kind == "const") != constants:
                continue
            attribute = code.VARIABLES.get(variable.name)
            if attribute is None:
                raise CheckingError(f"the module's {code.ROLE} has no variable {variable.name}")
            self._store(variable.stored, getattr(code, attribute), (code.id,), rows)
        return rows

    def _store(self, stored: Stored, value: Any, prefix: Row, rows: Rows) -> None:
        match stored:
            case StoredLeaf(symbol=symbol):
                table = rows.setdefault(symbol, {})
                element = self.element(symbol.result, value)
                if symbol.result != BOOL or element:
                    table[prefix] = element
            case StoredProduct(parts=parts):
                for part, part_value in zip(parts, _parts(value), strict=True):
                    self._store(part, part_value, prefix, rows)
            case StoredOption(symbol=symbol, content=content):
                table = rows.setdefault(symbol, {})
                if value is not None:
                    table[prefix + self.columns(content, value)] = True
            case StoredSet(symbol=symbol, element=shape):
                table = rows.setdefault(symbol, {})
                for element in value:
                    table[prefix + self.columns(shape, element)] = True
            case StoredMap(key=key, value=inner):
                assigned = set()
                for entry, entry_value in value.items():
                    row = prefix + self.columns(key, entry)
                    assigned.add(row)
                    self._store(inner, entry_value, row, rows)
                for symbol in symbols_in(inner):
                    table = rows.setdefault(symbol, {})
                    table |= self._defaults(symbol, prefix, len(prefix) + _width(key), assigned)
            case _:
                assert_never(stored)

    def _defaults(
        self, symbol: Symbol, prefix: Row, width: int, assigned: set[Row]
    ) -> dict[Row, Hashable]:
        """Return the initial rows below `prefix` of the keys of a map that are not assigned."""
        if self._initial is None:
            raise CheckingError(f"{symbol}: a constant that is a map cannot be checked")
        known: Mapping[Row, Hashable]
        if symbol.result == BOOL:
            known = dict.fromkeys(self._initial.relations[symbol], True)
        else:
            known = self._initial.functions[symbol]
        return {
            row: value
            for row, value in known.items()
            if row[: len(prefix)] == prefix and row[:width] not in assigned
        }

    # --- carriers --------------------------------------------------------------------------

    def provide(self, variables: Iterable[Var], node: NodeId) -> None:
        """Have elements above all that the run has spoken of, for the `pick`s of the node.

        The model may always pick a higher one, and for each pick one that is higher than that of
        the pick before; the code's need not show in what it does.
        """
        picks = Counter[Sort]()
        for sort in (variable.sort for variable in variables):
            declaration = self._kinds.get(sort)
            if declaration is None or declaration.kind != "ordered":
                continue
            if declaration.next is not None:
                continue  # there is one already
            picks[sort] += 1
            number = self._highest[sort].number + picks[sort]
            if declaration.owner is None:
                spare = type(self._highest[sort])(number)
            elif node in self.members[declaration.owner.result]:
                spare = type(self._highest[sort])(number, node)
            else:
                continue
            if spare not in self.members[sort]:
                self._grow(sort, spare)

    def provide_all(self, variables: Iterable[Var], node: NodeId) -> None:
        """Have every element that the code of the node may pick above one that there is.

        It takes the next that it can make. Which one that was decides what else it does, where the
        handler compares it with another value and what it does tells nothing of it.
        """
        for sort in [variable.sort for variable in variables]:
            declaration = self._kinds.get(sort)
            if declaration is None or declaration.kind != "ordered" or declaration.next is not None:
                continue
            owner = declaration.owner
            if owner is not None and node not in self.members[owner.result]:
                continue
            make = type(self._highest[sort])
            for number in sorted({cast(Any, element).number for element in self.members[sort]}):
                above = make(number + 1) if owner is None else make(number + 1, node)
                if above not in self.members[sort]:
                    self._grow(sort, above)

    def _count_to(self, sort: Sort, value: Any) -> None:
        """Have the values of a counter up to `value`, and those that a step may count on to."""
        if not isinstance(value, int) or value < 0:
            raise Foreign(f"{value!r} is not of {sort}")
        for number in range(len(self.members[sort]), value + self._spare[sort] + 1):
            self._grow(sort, number)

    def _grow(self, sort: Sort, element: Any) -> None:
        declaration = self._kinds[sort]
        if declaration.kind not in ("opaque", "ordered", "set"):
            raise Foreign(f"{element!r} is not of {sort}")
        if self._initial is None:
            self.members[sort].add(element)
            return
        position, owner = None, None
        if declaration.kind == "ordered":
            position = bisect_left(cast(Any, self.structure.carriers[sort]), element)
        if declaration.owner is not None:
            owner = element.owner
            if owner not in self.members[declaration.owner.result]:
                raise Foreign(f"{element!r} belongs to no {declaration.owner.result}")
        self.structure, self._initial = (
            extend(self._model, structure, sort, element, position, owner=owner)
            for structure in (self.structure, self._initial)
        )
        self.members[sort].add(element)
        self._size += 1

    def _first_structure(
        self, module: Module, cluster: Any, code: Mapping[NodeId, Role]
    ) -> Structure:
        """Return the model's initial state on the cluster, with the constants of the nodes."""
        self.members = {}
        for sort, declaration in self._kinds.items():
            if declaration.kind == "role":
                field_ = module.CLUSTER_FIELDS[sort.name]
                self.members[sort] = set(getattr(cluster, field_))
            elif declaration.kind == "ordered":
                zero = module.ORDEREDS[sort.name]
                self.members[sort] = {zero}
                if sort in self._spare:
                    self._count_to(sort, zero)
            elif declaration.kind == "enum":
                self.members[sort] = set(declaration.elements)
            elif declaration.kind == "set":
                self.members[sort] = {frozenset()}
            else:
                self.members[sort] = set()
        constants: dict[Symbol, Any] = {}
        for node in code.values():
            for symbol, rows in self._rows_of(node, constants=True).items():
                constants.setdefault(symbol, {}).update(rows)
        carriers: dict[Sort, tuple[Any, ...]] = {}
        for sort, declaration in self._kinds.items():
            if declaration.kind == "role":
                carriers[sort] = getattr(cluster, module.CLUSTER_FIELDS[sort.name])
            elif declaration.kind == "ordered":
                carriers[sort] = tuple(sorted(cast(Any, self.members[sort])))
            elif declaration.kind == "opaque":
                carriers[sort] = tuple(sorted(self.members[sort], key=repr)) or (
                    Unnamed(sort.name),
                )
        owners = {
            sort: {element: element.owner for element in carriers[sort][1:]}
            for sort, declaration in self._kinds.items()
            if declaration.owner is not None
        }
        try:
            rigid = rigid_structure(
                self._model,
                carriers,
                parameters=parameters(module, cluster),
                owners=owners,
                constants=constants,
            )
        except ValueError as error:
            raise CheckingError(str(error)) from None
        self.members = {sort: set(elements) for sort, elements in rigid.carriers.items()}
        return initial_structure(self._model, rigid)


def headroom(model: Model, following: Symbol) -> int:
    """Return how many values of a counter one step may count on to, 1 at least.

    Each is a parameter of its action, or a variable of a loop, to which the guard or an update
    leads by the symbol `following`.
    """

    def steps(term: Term) -> set[Term]:
        found = {last for child in children(term) for last in steps(child)}
        if isinstance(term, Apply) and term.symbol == following:
            found.add(term.arguments[1])
        return found

    found = [1]
    for action in model.actions:
        terms = (action.guard, *(c.formula for c in action.contents))
        found.append(len({last for term in terms for last in steps(term)}))
    return max(found)


def field_values(message: Any) -> list[Any]:
    """Return the fields of a message or record."""
    return [getattr(message, field_.name) for field_ in fields(message)]


def _parts(value: Any) -> Sequence[Any]:
    """Return the parts of a tuple or record."""
    return value if isinstance(value, tuple) else field_values(value)


def symbols_in(stored: Stored) -> Iterator[Symbol]:
    """Yield the symbols that a variable lies in."""
    match stored:
        case StoredLeaf(symbol=symbol) | StoredOption(symbol=symbol) | StoredSet(symbol=symbol):
            yield symbol
        case StoredProduct(parts=parts):
            for part in parts:
                yield from symbols_in(part)
        case StoredMap(value=value):
            yield from symbols_in(value)
        case _:
            assert_never(stored)


def _width(shape: Flat) -> int:
    return len(leaves(shape))
