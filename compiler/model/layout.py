"""Layouts: how values of the language lie in the model's symbols.

A variable of any type is a bundle of symbols. The layout says which, and so lets other rooms
turn the variables of a running node into a structure, and a structure into the spec's words,
without knowing how lowering chose the symbols.

*Flat* shapes describe a fixed number of columns: a `Leaf` is one, a `Product` those of its
parts in order. *Stored* shapes describe where a variable is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, Union

from compiler.model.term import Sort, Symbol


@dataclass(frozen=True, slots=True)
class Leaf:
    """One column of `sort`."""

    sort: Sort


@dataclass(frozen=True, slots=True)
class Product:
    """A tuple, or a record called `record` with the field names `names`."""

    parts: tuple[Flat, ...]
    record: str | None = None
    names: tuple[str, ...] = ()


Flat: TypeAlias = Union[Leaf, Product]


def leaves(shape: Flat) -> tuple[Sort, ...]:
    """Return the sorts of the columns, in order."""
    match shape:
        case Leaf(sort=sort):
            return (sort,)
        case Product(parts=parts):
            return tuple(sort for part in parts for sort in leaves(part))


@dataclass(frozen=True, slots=True)
class StoredLeaf:
    """`symbol(node, keys…)` is the value; of sort `BOOL` for a `bool`."""

    symbol: Symbol


@dataclass(frozen=True, slots=True)
class StoredProduct:
    """A tuple or record, each part kept for itself."""

    parts: tuple[Stored, ...]
    record: str | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredOption:
    """`symbol(node, keys…, content…)` holds of the content, and of nothing if it is none."""

    symbol: Symbol
    content: Flat


@dataclass(frozen=True, slots=True)
class StoredSet:
    """`symbol(node, keys…, element…)` holds of the elements."""

    symbol: Symbol
    element: Flat


@dataclass(frozen=True, slots=True)
class StoredMap:
    """The columns of the key stand behind the node's and those of enclosing maps."""

    key: Flat
    value: Stored


Stored: TypeAlias = Union[StoredLeaf, StoredProduct, StoredOption, StoredSet, StoredMap]


@dataclass(frozen=True, slots=True)
class VariableLayout:
    """One variable of a role; `state` and `phase` are variables too, of kind `control`."""

    name: str
    kind: Literal["durable", "volatile", "const", "ghost", "control"]
    stored: Stored


@dataclass(frozen=True, slots=True)
class RoleLayout:
    """The variables of a role. The first column of each of their symbols is the node."""

    name: str
    sort: Sort | None  # None for the protocol's own ghosts, which have no node column
    single: bool
    variables: tuple[VariableLayout, ...]


@dataclass(frozen=True, slots=True)
class FieldLayout:
    """One field; `optional` if it is an option of `shape`.

    A field that is a set is a leaf of the sort of such sets, and `member` is that sort's.
    """

    name: str
    shape: Flat
    optional: bool
    member: Symbol | None = None


@dataclass(frozen=True, slots=True)
class History:
    """Where the messages of one channel and one variant (or requests, outputs) are recorded.

    Columns of `symbol`: the sender (or node), then the receiver unless `receiver` is None,
    then the leaves of all fields that are not options, and of those options that are some.
    `present` says of each option field, in order, whether it is some in this variant.
    For a channel on which messages are only broadcast `receiver` is None and
    `broadcast_to` is the role that receives.
    """

    symbol: Symbol
    sender: Sort
    receiver: Sort | None
    broadcast_to: Sort | None
    present: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class SignatureLayout:
    """A message, request or output: its fields, and its histories (none if never recorded)."""

    name: str
    fields: tuple[FieldLayout, ...]
    histories: tuple[History, ...]
