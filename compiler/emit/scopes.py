"""The names of one generated module: what every declared thing of a spec is called in it."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.check import checked
from compiler.check.names import snake_case
from compiler.check.types import EnumType, OrderedType, RoleType, Type
from compiler.emit import names
from compiler.emit.names import Scope


@dataclass(frozen=True, slots=True)
class Names:
    """The scopes of a module. Keys are the spec's names, with their kind.

    `module` holds the classes and constants; `cluster` the fields of `Cluster`; `members` the
    members of each enum; `fields` the fields of each message, record and so on, by its class;
    `nodes` the attributes and methods of each role class.
    """

    module: Scope
    cluster: Scope
    members: dict[str, Scope]
    fields: dict[str, Scope]
    nodes: dict[str, Scope]

    @property
    def globals(self) -> frozenset[str]:
        """The names that a function of the module may need, and so must not hide."""
        return _globals(self.module)

    def type(self, type_: Type) -> str:
        """Return the class or alias of a declared type."""
        return self.module["type", str(type_)]

    def zero(self, type_: OrderedType) -> str:
        """Return the constant for the least value of an ordered type."""
        return self.module["zero", type_.name]

    def member(self, type_: EnumType, member: str) -> str:
        """Return an enum's member, as it is written in expressions."""
        return f"{self.type(type_)}.{self.members[type_.name][member]}"

    def signature(self, declared: checked.Message | checked.Request | checked.Output) -> str:
        """Return the class of a message, request or output."""
        return self.module["signature", declared.name]

    def question(self, question: checked.Question) -> str:
        """Return the class of a question."""
        return self.module["signature", question.name]

    def answer(self, question: checked.Question) -> str:
        """Return the function that takes the answer to a question."""
        return self.module["answer", question.name]

    def timer(self, timer: checked.Timer) -> str:
        """Return the class of a timer."""
        return self.module["timer", timer.role.name, timer.name]

    def role(self, role: RoleType) -> str:
        """Return the class of a role."""
        return self.module["role", role.name]

    def states(self, role: RoleType) -> str:
        """Return the enum of a role's states."""
        return self.module["states", role.name]

    def state(self, role: RoleType, state: str) -> str:
        """Return a role's state, as it is written in expressions."""
        return f"{self.states(role)}.{self.members[f'{role.name} states'][state]}"

    def nodes_of(self, role: RoleType) -> str:
        """Return the field of `Cluster` with the nodes of a role."""
        return self.cluster["role", role.name]

    def parameter(self, name: str) -> str:
        """Return the field of `Cluster` with a parameter."""
        return self.cluster["parameter", name]

    def variable(self, role: RoleType, name: str) -> str:
        """Return the attribute of a role's variable."""
        return self.nodes[role.name]["variable", name]

    def handler(self, role: RoleType, name: str) -> str:
        """Return the method of a handler."""
        return self.nodes[role.name]["handler", name]

    def field(self, class_: str, name: str) -> str:
        """Return the field of a message, record and so on, by the name of its class."""
        return self.fields[class_][name]


def build_names(protocol: checked.Protocol) -> Names:
    """Name everything that `protocol` declares."""
    # In a class, the names of its methods hide those of the module.
    methods = (handler.name for role in protocol.roles for handler in role.handlers)
    module = Scope(names.BUILTINS, names.IMPORTED, names.PRELUDE, names.NODE, names.FRAME, methods)
    members: dict[str, Scope] = {}
    _name_types(protocol, module, members)
    signatures: tuple[checked.Message | checked.Request | checked.Output, ...]
    signatures = (*protocol.messages, *protocol.requests, *protocol.outputs)
    for signature in signatures:
        module.give(("signature", signature.name), signature.name)
    for question in protocol.questions:
        plain = names.camel_case(question.name)
        module.give(("signature", question.name), plain, f"{plain}Question")
    for role in protocol.roles:
        module.give(("role", role.type.name), role.type.name)
    for role in protocol.roles:
        _name_parts(role, module, members)
    for question in protocol.questions:
        module.give(("answer", question.name), f"answer_to_{snake_case(question.name)}")
    cluster = Scope(names.FIELD)
    for role in protocol.roles:
        cluster.give(("role", role.type.name), snake_case(role.type.name))
    for parameter in protocol.parameters:
        cluster.give(("parameter", parameter.name), parameter.name)
    fields = {
        module["type", record.name]: _fields(module, tuple(name for name, _ in record.fields))
        for record in protocol.records
    }
    for name, declared_fields in (
        *((signature.name, signature.fields) for signature in signatures),
        *((question.name, question.fields) for question in protocol.questions),
    ):
        fields[module["signature", name]] = _fields(
            module, tuple(field.name for field in declared_fields)
        )
    for role in protocol.roles:
        for timer in role.timers:
            fields[module["timer", role.type.name, timer.name]] = _fields(
                module, tuple(field.name for field in timer.fields)
            )
    nodes = {role.type.name: _name_node(role, module) for role in protocol.roles}
    return Names(module, cluster, members, fields, nodes)


def _name_types(protocol: checked.Protocol, module: Scope, members: dict[str, Scope]) -> None:
    for opaque in protocol.opaques:
        module.give(("type", opaque.name), opaque.name)
    for ordered in protocol.ordereds:
        module.give(("type", ordered.name), ordered.name)
        module.give(("zero", ordered.name), f"{names.upper_case(ordered.name)}_ZERO")
    for enum in protocol.enums:
        module.give(("type", enum.name), enum.name)
        members[enum.name] = _members(enum.members)
    for record in protocol.records:
        module.give(("type", record.name), record.name)


def _members(spec_names: tuple[str, ...]) -> Scope:
    scope = Scope()
    for name in spec_names:
        scope.give(name, names.upper_case(name))
    return scope


def _name_parts(role: checked.Role, module: Scope, members: dict[str, Scope]) -> None:
    """Name the timers and states of a role."""
    name = role.type.name
    if role.states:
        module.give(("states", name), f"{name}State")
        members[f"{name} states"] = _members(tuple(state.name for state in role.states))
    for timer in role.timers:
        plain = f"{names.camel_case(timer.name)}Timer"
        module.give(("timer", name, timer.name), plain, f"{name}{plain}")


def _fields(module: Scope, spec_names: tuple[str, ...]) -> Scope:
    """Name fields so that the annotations beside them keep their meaning."""
    types = {name for key, name in module.given.items() if _is_type(key)}
    scope = Scope(names.FIELD, types)
    for name in spec_names:
        scope.give(name, name)
    return scope


def _globals(module: Scope) -> frozenset[str]:
    return names.BUILTINS | names.IMPORTED | names.PRELUDE | frozenset(module.given.values())


def _is_type(key: object) -> bool:
    return isinstance(key, tuple) and key[0] == "type"


def _name_node(role: checked.Role, module: Scope) -> Scope:
    """Name the attributes and methods of a role; constants are parameters as well."""
    scope = Scope(names.NODE, {"state"} if role.states else ())
    parameters = Scope(names.NODE, names.FRAME, _globals(module))
    for variable in role.variables:
        if variable.kind == "const":
            name = parameters.give(variable.name, variable.name)
            scope.give(("variable", variable.name), name)
        elif variable.kind != "ghost":
            scope.give(("variable", variable.name), variable.name)
    for handler in role.handlers:
        scope.give(("handler", handler.name), handler.name)
    return scope
