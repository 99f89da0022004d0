"""Where everything of a protocol is kept in the model: sorts, symbols and layouts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal, assert_never

from compiler.check import checked, types
from compiler.model.layout import (
    FieldLayout,
    Flat,
    History,
    Leaf,
    Product,
    RoleLayout,
    SignatureLayout,
    Stored,
    StoredLeaf,
    StoredMap,
    StoredOption,
    StoredProduct,
    StoredSet,
    VariableLayout,
    leaves,
)
from compiler.model.system import SortDeclaration
from compiler.model.term import BOOL, Sort, Symbol

PHASES = ("Fresh", "Down", "Up")
"""The phases of a node whose role handles `start` or `recover`: before its first step, after
a crash, and running."""


def flat_shape(type_: types.Type) -> Flat:
    """Return the columns of a flat type; of a set, the one column of the sort of such sets."""
    match type_:
        case types.BoolType():
            return Leaf(BOOL)
        case types.RecordType(name=name, fields=fields):
            return Product(
                tuple(flat_shape(t) for _, t in fields), name, tuple(field for field, _ in fields)
            )
        case types.TupleType(parts=parts):
            return Product(tuple(flat_shape(part) for part in parts))
        case (
            types.EnumType(name=name)
            | types.RoleType(name=name)
            | types.OpaqueType(name=name)
            | types.OrderedType(name=name)
            | types.QuorumType(name=name)
        ):
            return Leaf(Sort(name))
        case types.SetType():
            return Leaf(set_sort(type_))
        case types.OptionType() | types.MapType() | types.IntType():
            raise AssertionError(f"not flat: {type_}")
    assert_never(type_)


def set_sort(type_: types.SetType) -> Sort:
    """Return the sort whose elements stand for the sets of a type."""
    return Sort(str(type_))


def set_member(type_: types.SetType) -> Symbol:
    """Return the relation between the elements of sets of a type and the sets."""
    sort = set_sort(type_)
    columns = (*leaves(flat_shape(type_.element)), sort)
    return Symbol(f"{sort}.member", columns, BOOL, mutable=False)


def store(name: str, type_: types.Type, prefix: tuple[Sort, ...], mutable: bool) -> Stored:
    """Lay out a variable of `type_` whose symbols' first columns are `prefix`."""
    match type_:
        case types.OptionType(content=content):
            shape = flat_shape(content)
            columns = leaves(shape)
            symbol = Symbol(name, prefix + columns, BOOL, mutable, unique=len(columns))
            return StoredOption(symbol, shape)
        case types.SetType(element=element):
            shape = flat_shape(element)
            return StoredSet(Symbol(name, prefix + leaves(shape), BOOL, mutable), shape)
        case types.MapType(key=key, value=value):
            shape = flat_shape(key)
            return StoredMap(shape, store(name, value, prefix + leaves(shape), mutable))
        case types.RecordType(name=record, fields=fields):
            return StoredProduct(
                tuple(store(f"{name}.{field}", t, prefix, mutable) for field, t in fields),
                record,
                tuple(field for field, _ in fields),
            )
        case types.TupleType(parts=parts):
            return StoredProduct(
                tuple(store(f"{name}.{i}", t, prefix, mutable) for i, t in enumerate(parts))
            )
        case _:
            shape = flat_shape(type_)
            assert isinstance(shape, Leaf)
            return StoredLeaf(Symbol(name, prefix, shape.sort, mutable))


def symbols_in(stored: Stored) -> Iterator[Symbol]:
    """Yield the symbols of a stored variable."""
    match stored:
        case StoredLeaf(symbol=symbol) | StoredOption(symbol=symbol) | StoredSet(symbol=symbol):
            yield symbol
        case StoredProduct(parts=parts):
            for part in parts:
                yield from symbols_in(part)
        case StoredMap(value=value):
            yield from symbols_in(value)


@dataclass(frozen=True, slots=True)
class Storage:
    """All sorts, layouts and symbols of one protocol.

    `variables`: by the role's name ("" for the protocol's ghosts) and the variable's. The
    present state of a role is its variable `state`, its phase `phase`: neither can clash,
    since both are reserved words of the language. `histories` only hold what can be sent or
    is spoken of.
    """

    sorts: tuple[SortDeclaration, ...]
    roles: tuple[RoleLayout, ...]
    ghosts: RoleLayout
    messages: tuple[SignatureLayout, ...]
    requests: tuple[SignatureLayout, ...]
    outputs: tuple[SignatureLayout, ...]

    def declaration(self, name: str) -> SortDeclaration:
        """Return the declaration of a sort."""
        return next(d for d in self.sorts if d.sort.name == name)

    def variable(self, role: str, name: str) -> VariableLayout:
        """Return the layout of a variable; `role` is "" for the protocol's ghosts."""
        layouts = (self.ghosts,) if role == "" else self.roles
        for layout in layouts:
            if layout.name == role:
                for variable in layout.variables:
                    if variable.name == name:
                        return variable
        raise KeyError((role, name))

    def has_phase(self, role: str) -> bool:
        """Whether nodes of the role have a phase."""
        layout = next(layout for layout in self.roles if layout.name == role)
        return any(variable.name == "phase" for variable in layout.variables)

    def signature(
        self, kind: Literal["message", "request", "output"], name: str
    ) -> SignatureLayout:
        """Return the layout of a message, request or output."""
        layouts = {"message": self.messages, "request": self.requests, "output": self.outputs}
        return next(layout for layout in layouts[kind] if layout.name == name)

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """All symbols, rigid ones first."""
        found: dict[Symbol, None] = {}
        for declaration in self.sorts:
            for symbol in (
                declaration.less,
                declaration.zero,
                declaration.owner,
                declaration.next,
                declaration.member,
                declaration.the,
            ):
                if symbol is not None:
                    found[symbol] = None
        for layout in (*self.roles, self.ghosts):
            for variable in layout.variables:
                found.update(dict.fromkeys(symbols_in(variable.stored)))
        for signature in (*self.messages, *self.requests, *self.outputs):
            found.update(dict.fromkeys(history.symbol for history in signature.histories))
        return tuple(sorted(found, key=lambda symbol: symbol.mutable))


def build_storage(protocol: checked.Protocol, recorded: frozenset[tuple[str, str]]) -> Storage:
    """Lay out a protocol; `recorded` are the requests and outputs that properties speak of.

    They are given as `("request", name)` and `("output", name)`.
    """
    return Storage(
        sorts=tuple(_sorts(protocol)),
        roles=tuple(_role_layout(role) for role in protocol.roles),
        ghosts=RoleLayout("", None, False, tuple(_variable_layout(v, ()) for v in protocol.ghosts)),
        messages=tuple(_message_layout(message) for message in protocol.messages),
        requests=tuple(
            _spoken_layout("requested", request, ("request", request.name) in recorded)
            for request in protocol.requests
        ),
        outputs=tuple(
            _spoken_layout("output", output, ("output", output.name) in recorded)
            for output in protocol.outputs
        ),
    )


def _sorts(protocol: checked.Protocol) -> Iterator[SortDeclaration]:
    for role in protocol.roles:
        sort = Sort(role.type.name)
        the = Symbol(f"{sort}.the", (), sort, mutable=False) if role.single else None
        yield SortDeclaration(sort, "role", the=the, span=role.span)
    for opaque in protocol.opaques:
        yield SortDeclaration(Sort(opaque.name), "opaque", span=opaque.span)
    for ordered in protocol.ordereds:
        sort = Sort(ordered.name)
        owner = (
            Symbol(f"{sort}.owner", (sort,), Sort(ordered.owner.name), mutable=False)
            if ordered.owner is not None
            else None
        )
        yield SortDeclaration(
            sort,
            "ordered",
            less=Symbol(f"{sort}.<", (sort, sort), BOOL, mutable=False),
            zero=Symbol(f"{sort}.zero", (), sort, mutable=False),
            owner=owner,
            next=Symbol(f"{sort}.next", (sort, sort), BOOL, mutable=False, unique=1)
            if ordered.counts
            else None,
            span=ordered.span,
        )
    for quorum in protocol.quorums:
        sort = Sort(quorum.type.name)
        member = Symbol(f"{sort}.member", (Sort(quorum.type.role.name), sort), BOOL, mutable=False)
        yield SortDeclaration(sort, "quorum", member=member, span=quorum.span)
    for enum in protocol.enums:
        yield SortDeclaration(Sort(enum.name), "enum", enum.members, span=enum.span)
    for role in protocol.roles:
        if role.states:
            members = tuple(state.name for state in role.states)
            yield SortDeclaration(_state_sort(role), "enum", members, span=role.span)
    if any(_has_phase(role) for role in protocol.roles):
        yield SortDeclaration(_PHASE_SORT, "enum", PHASES)
    for type_ in _set_types(protocol):
        yield SortDeclaration(
            set_sort(type_),
            "set",
            member=set_member(type_),
            element=flat_shape(type_.element),
        )


def _set_types(protocol: checked.Protocol) -> tuple[types.SetType, ...]:
    """Return the types of the sets that are sent, asked for, told or quantified over."""
    found: dict[types.SetType, None] = {}
    for node in checked.walk(protocol):
        match node:
            case checked.Message(fields=parts) | checked.Request(fields=parts):
                typed = [part.type for part in parts]
            case checked.Output(fields=parts):
                typed = [part.type for part in parts]
            case checked.Quantified(bindings=bindings):
                typed = [binding.type for binding in bindings]
            case _:
                continue
        found.update(dict.fromkeys(t for t in typed if isinstance(t, types.SetType)))
    return tuple(found)


_PHASE_SORT = Sort("phase")


def _state_sort(role: checked.Role) -> Sort:
    return Sort(f"{role.type.name}.state")


def _has_phase(role: checked.Role) -> bool:
    return role.stops or any(
        isinstance(handler.event, checked.StartEvent | checked.RecoverEvent)
        for handler in role.handlers
    )


def _variable_layout(variable: checked.Variable, prefix: tuple[Sort, ...]) -> VariableLayout:
    role = "ghost" if variable.role is None else variable.role.name
    mutable = variable.kind != "const"
    stored = store(f"{role}.{variable.name}", variable.type, prefix, mutable)
    return VariableLayout(variable.name, variable.kind, stored)


def _role_layout(role: checked.Role) -> RoleLayout:
    sort = Sort(role.type.name)
    variables = [_variable_layout(variable, (sort,)) for variable in role.variables]
    controls: list[tuple[str, Sort]] = []
    if role.states:
        controls.append(("state", _state_sort(role)))
    if _has_phase(role):
        controls.append(("phase", _PHASE_SORT))
    for name, value_sort in controls:
        symbol = Symbol(f"{sort}.{name}", (sort,), value_sort, mutable=True)
        variables.append(VariableLayout(name, "control", StoredLeaf(symbol)))
    return RoleLayout(role.type.name, sort, role.single, tuple(variables))


def _field_layouts(fields: tuple[checked.Field, ...]) -> tuple[FieldLayout, ...]:
    return tuple(
        FieldLayout(field.name, flat_shape(field.type.content), optional=True)
        if isinstance(field.type, types.OptionType)
        else FieldLayout(
            field.name,
            flat_shape(field.type),
            optional=False,
            member=set_member(field.type) if isinstance(field.type, types.SetType) else None,
        )
        for field in fields
    )


def _histories(
    base: str,
    fields: tuple[FieldLayout, ...],
    sender: Sort,
    receiver: Sort | None,
    broadcast_to: Sort | None,
) -> Iterator[History]:
    options = [field for field in fields if field.optional]
    for present in product((False, True), repeat=len(options)):
        suffix = "".join(".some" if some else ".none" for some in present)
        columns = [sender] if receiver is None else [sender, receiver]
        some_of = iter(present)
        for field in fields:
            if not field.optional or next(some_of):
                columns.extend(leaves(field.shape))
        symbol = Symbol(f"{base}{suffix}", tuple(columns), BOOL, mutable=True)
        yield History(symbol, sender, receiver, broadcast_to, present)


def _message_layout(message: checked.Message) -> SignatureLayout:
    fields = _field_layouts(message.fields)
    histories: list[History] = []
    for channel in message.channels:
        sender, receiver = Sort(channel.sender.name), Sort(channel.receiver.name)
        base = f"sent.{message.name}"
        if len(message.channels) > 1:
            base += f".{sender}.{receiver}"
        histories.extend(
            _histories(
                base,
                fields,
                sender,
                None if channel.broadcast_only else receiver,
                receiver if channel.broadcast_only else None,
            )
        )
    return SignatureLayout(message.name, fields, tuple(histories))


def _spoken_layout(
    base: str, signature: checked.Request | checked.Output, recorded: bool
) -> SignatureLayout:
    fields = _field_layouts(signature.fields)
    histories: list[History] = []
    if recorded:
        for role in signature.roles:
            name = f"{base}.{signature.name}"
            if len(signature.roles) > 1:
                name += f".{role.name}"
            histories.extend(_histories(name, fields, Sort(role.name), None, None))
    return SignatureLayout(signature.name, fields, tuple(histories))
