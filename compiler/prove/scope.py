"""Scopes: how many elements of each sort a grounded question looks at.

The sorts of enums are given by the model, a single role has one node, and a quorum sort has
as its elements all node sets that meet the threshold at the given number of nodes and the
given values of the parameters. Where the sets are *free* instead, a scope gives a number of
abstract quorums, of which only the facts are known.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from itertools import combinations, product

from compiler.model.quorums import evaluate_condition
from compiler.model.system import Model, QuorumLayout
from compiler.model.term import BOOL, Sort
from compiler.prove.naming import element_names, prefixes


@dataclass(frozen=True, slots=True)
class Scope:
    """The sizes of one grounding.

    `sizes`: of roles, opaque and ordered sorts and sorts of sets by name, and of quorum sorts if
    they are free. What is in the sets is left open.
    `parameters`: the values of the spec's parameters, by name.
    """

    sizes: tuple[tuple[str, int], ...]
    parameters: tuple[tuple[str, int], ...] = ()
    free_quorums: bool = False

    @property
    def total(self) -> int:
        """The number of elements, as a measure of how small the scope is."""
        return sum(size for _, size in self.sizes)

    def size(self, name: str) -> int:
        """Return the size of the sort called `name`."""
        return dict(self.sizes)[name]

    def resized(self, name: str, size: int) -> Scope:
        """Return the scope with another size for one sort."""
        sizes = tuple((n, size if n == name else s) for n, s in self.sizes)
        return Scope(sizes, self.parameters, self.free_quorums)

    def describe(self, model: Model) -> str:
        """Return the scope in words: `2 Acceptor, 1 Learner, 3 Ballot`."""
        names = [f"{size} {name}" for name, size in self.sizes]
        names += [f"{name} = {value}" for name, value in self.parameters]
        return ", ".join(names)


def sized_sorts(model: Model, free_quorums: bool = False) -> tuple[str, ...]:
    """Return the names of the sorts whose size a scope chooses, single roles included."""
    kinds = ("role", "opaque", "ordered", "set") + (("quorum",) if free_quorums else ())
    return tuple(d.sort.name for d in model.sorts if d.kind in kinds)


def is_single(model: Model, name: str) -> bool:
    """Whether the sort called `name` is a role with exactly one node."""
    return model.sort(name).the is not None


def uniform_scopes(model: Model, size: int, free_quorums: bool = False) -> Iterator[Scope]:
    """Yield the scopes with `size` elements of every sort, one for each value of the parameters."""
    sizes = tuple(
        (name, 1 if is_single(model, name) else size) for name in sized_sorts(model, free_quorums)
    )
    yield from with_parameters(model, sizes, free_quorums)


def with_parameters(
    model: Model, sizes: tuple[tuple[str, int], ...], free_quorums: bool = False
) -> Iterator[Scope]:
    """Yield scopes of these sizes for all values of the parameters that the spec assumes.

    Scopes in which a quorum sort would be empty are left out, and so are those with the same
    quorums as one before. Greater parameters (more faults) come first: they are where a wrong
    threshold shows.
    """
    if free_quorums or not model.assumptions:
        candidate = Scope(sizes, (), free_quorums)
        if free_quorums or all(quorum_sets(quorum, candidate) for quorum in model.quorums):
            yield candidate
        return
    names = [assumption.parameter for assumption in model.assumptions]
    most = max((size for _, size in sizes), default=1)
    seen: set[tuple[tuple[tuple[int, ...], ...], ...]] = set()
    for values in product(range(most, -1, -1), repeat=len(names)):
        candidate = Scope(sizes, tuple(zip(names, values, strict=True)))
        totals, parameters = dict(candidate.sizes), dict(candidate.parameters)
        if all(
            evaluate_condition(assumption.condition, 0, totals, parameters)
            for assumption in model.assumptions
        ):
            quorums = tuple(quorum_sets(quorum, candidate) for quorum in model.quorums)
            if all(quorums) and quorums not in seen:
                seen.add(quorums)
                yield candidate


def quorum_sets(quorum: QuorumLayout, scope: Scope) -> tuple[tuple[int, ...], ...]:
    """Return the quorums of a scope as tuples of places of nodes, smaller ones first."""
    totals, parameters = dict(scope.sizes), dict(scope.parameters)
    total = scope.size(quorum.role.name)
    return tuple(
        members
        for size in range(total + 1)
        if evaluate_condition(quorum.threshold, size, totals, parameters)
        for members in combinations(range(total), size)
    )


def carriers(model: Model, scope: Scope) -> dict[Sort, tuple[Hashable, ...]]:
    """Return the carriers of a scope. Quorums that are not free are frozensets of nodes."""
    found: dict[Sort, tuple[Hashable, ...]] = {BOOL: (False, True)}
    for declaration in model.sorts:
        sort = declaration.sort
        if declaration.kind == "enum":
            found[sort] = declaration.elements
        elif declaration.kind == "set" and sort.name not in dict(scope.sizes):
            found[sort] = ()  # whoever asks puts sets there
        elif declaration.kind != "quorum":
            found[sort] = element_names(model, sort, scope.size(sort.name))
    names = prefixes(model)
    for quorum in model.quorums:
        if scope.free_quorums:
            count = scope.size(quorum.sort.name)
            found[quorum.sort] = tuple(f"{names[quorum.sort]}{i}" for i in range(count))
        else:
            nodes = found[quorum.role]
            found[quorum.sort] = tuple(
                frozenset(nodes[place] for place in members)
                for members in quorum_sets(quorum, scope)
            )
    return found
