"""The standard meaning of a model's rigid symbols over concrete carriers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations, pairwise, product

from compiler.model.layout import Flat, leaves
from compiler.model.quorums import quorum_sets
from compiler.model.structure import Row, Structure, Value
from compiler.model.system import Model, SortDeclaration
from compiler.model.term import BOOL, Sort, Symbol


def sized_carriers(model: Model, sizes: Mapping[str, int]) -> dict[Sort, tuple[Value, ...]]:
    """Return carriers with elements called `Acceptor0`, `Acceptor1`, …

    `sizes` gives the number of elements of each role, opaque and ordered sort by its name; a
    sort left out has one element if it is a single role, and two otherwise. There is every set
    of elements that are there, if that makes 1,000 at most, and else none but the empty one.
    """
    carriers: dict[Sort, tuple[Value, ...]] = {}
    for declaration in model.sorts:
        if declaration.kind in ("role", "opaque", "ordered"):
            name = declaration.sort.name
            size = sizes.get(name, 1 if declaration.the is not None else 2)
            carriers[declaration.sort] = tuple(f"{name}{i}" for i in range(size))
        elif declaration.kind == "enum":
            carriers[declaration.sort] = declaration.elements
    for declaration in model.sorts:
        if declaration.element is not None:
            every = all_sets(declaration.element, carriers, limit=1000)
            carriers[declaration.sort] = every or (frozenset(),)
    return carriers


def all_sets(
    element: Flat, carriers: Mapping[Sort, Sequence[Value]], limit: int
) -> tuple[frozenset[Row], ...] | None:
    """Return every set of elements of a shape, as sets of rows, small ones first.

    None if there are more than `limit`.
    """
    columns = [(False, True) if s == BOOL else carriers[s] for s in leaves(element)]
    rows: list[Row] = list(product(*columns))
    if 2 ** len(rows) > limit:
        return None
    return tuple(
        frozenset(chosen) for size in range(len(rows) + 1) for chosen in combinations(rows, size)
    )


def rigid_structure(
    model: Model,
    carriers: Mapping[Sort, Sequence[Value]],
    *,
    parameters: Mapping[str, int] | None = None,
    owners: Mapping[Sort, Mapping[Value, Value]] | None = None,
    constants: Mapping[Symbol, Mapping[Row, Value] | Collection[Row]] | None = None,
    minimal_quorums: bool = False,
) -> Structure:
    """Return the structure of the rigid symbols alone.

    `carriers`: of every role, opaque and ordered sort, ordered ones ascending with zero first.
    Enums are as declared; a quorum's elements are the sets of nodes that meet its threshold,
    as frozensets (`minimal_quorums`: see `quorum_sets`), for the given values of the spec's
    `parameters`. The elements of a sort of sets are frozensets of rows; if they are not given
    there is the empty set alone. `owners` gives, by ordered sort, the owner of elements; the rest
    belong to the owner role's nodes in turn, zero to the first. `constants` gives the rigid symbols
    that the sorts do not: rows of a relation, values of a function. Raises `ValueError` where a
    carrier is missing or empty, or a constant missing.
    """
    full = _carriers(model, carriers, parameters or {}, minimal_quorums)
    relations: dict[Symbol, frozenset[Row]] = {}
    functions: dict[Symbol, Mapping[Row, Value]] = {}
    for declaration in model.sorts:
        elements = full[declaration.sort]
        if declaration.less is not None:
            relations[declaration.less] = frozenset(
                (low, high) for i, high in enumerate(elements) for low in elements[:i]
            )
        if declaration.zero is not None:
            functions[declaration.zero] = {(): elements[0]}
        if declaration.owner is not None:
            given = (owners or {}).get(declaration.sort, {})
            nodes = full[declaration.owner.result]
            functions[declaration.owner] = {
                (element,): given.get(element, nodes[i % len(nodes)])
                for i, element in enumerate(elements)
            }
        if declaration.next is not None:
            relations[declaration.next] = frozenset(pairwise(elements))
        if declaration.member is not None:
            relations[declaration.member] = frozenset(_members(declaration, full))
        if declaration.the is not None:
            functions[declaration.the] = {(): elements[0]}
    for symbol in model.symbols:
        if symbol.mutable or symbol in relations or symbol in functions:
            continue
        if constants is None or symbol not in constants:
            raise ValueError(f"no meaning is given for the constant {symbol}")
        rows = constants[symbol]
        if symbol.result == BOOL:
            relations[symbol] = frozenset(rows)
        else:
            assert isinstance(rows, Mapping)
            functions[symbol] = dict(rows)
    return Structure(full, relations, functions)


def _carriers(
    model: Model,
    given: Mapping[Sort, Sequence[Value]],
    parameters: Mapping[str, int],
    minimal: bool,
) -> dict[Sort, tuple[Value, ...]]:
    quorums = {quorum.sort: quorum for quorum in model.quorums}
    totals = {
        d.sort.name: len(given[d.sort]) for d in model.sorts if d.kind == "role" and d.sort in given
    }
    carriers: dict[Sort, tuple[Value, ...]] = {}
    for declaration in model.sorts:
        sort = declaration.sort
        if declaration.kind == "enum":
            carriers[sort] = declaration.elements
        elif declaration.kind == "quorum":
            quorum = quorums[sort]
            carriers[sort] = tuple(
                quorum_sets(quorum, given[quorum.role], totals, parameters, minimal)
            )
        elif sort in given:
            carriers[sort] = tuple(given[sort])
        elif declaration.kind == "set":
            carriers[sort] = (frozenset(),)
        if not carriers.get(sort):
            raise ValueError(f"the sort {sort} has no elements")
    return carriers


def _members(
    declaration: SortDeclaration, carriers: Mapping[Sort, tuple[Value, ...]]
) -> Iterator[Row]:
    for members in carriers[declaration.sort]:
        assert isinstance(members, frozenset)
        for member in members:
            yield (*member, members) if declaration.kind == "set" else (member, members)
