"""Declared names: who declares what, before any type is looked at.

All declarations at the top of a spec share one space of names, whatever their kind, so that a
name means one thing wherever a reader meets it. Properties and facts have a space of their
own (they are only ever named on the command line), enum members one an enum, and variables,
timers and states one a role.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from compiler.diagnostics import Code, Diagnostics, Label
from compiler.syntax import tree

_ALWAYS_RESERVED = {"self", "zero", "_"}
_RESERVED_FOR_PARAMETERS = {"size", "total"}
# Names that the model has in the same place: see `compiler.model.system`.
_RESERVED_FOR_TYPES = {"bool", "Bool", "phase"}
_RESERVED_FOR_VARIABLES = {"state", "phase", "the"}
_RESERVED_FOR_ROLES = {"sent", "requested", "output", "ghost"}

Declared = (
    tree.OpaqueDeclaration
    | tree.OrderedDeclaration
    | tree.CounterDeclaration
    | tree.EnumDeclaration
    | tree.RecordDeclaration
    | tree.SignatureDeclaration
    | tree.ParameterDeclaration
    | tree.QuorumDeclaration
    | tree.DefinitionDeclaration
    | tree.VariableDeclaration
    | tree.RoleDeclaration
)


@dataclass(slots=True)
class Declarations:
    """The declarations of a spec by name; of two with one name the first counts."""

    protocol: tree.Protocol
    names: dict[str, Declared] = field(default_factory=dict)
    properties: dict[str, tree.PropertyDeclaration] = field(default_factory=dict)
    members: dict[str, list[tree.EnumDeclaration]] = field(default_factory=dict)

    def roles(self) -> list[tree.RoleDeclaration]:
        """Return the roles, in source order."""
        return [d for d in self.names.values() if isinstance(d, tree.RoleDeclaration)]

    def signatures(self, kind: str) -> list[tree.SignatureDeclaration]:
        """Return the messages, requests, outputs or questions, in source order."""
        return [
            d
            for d in self.names.values()
            if isinstance(d, tree.SignatureDeclaration) and d.kind == kind
        ]

    def role_variable(
        self, name: str
    ) -> tuple[tree.RoleDeclaration, tree.VariableDeclaration] | None:
        """Return the first role's variable of that name, with its role."""
        for role in self.roles():
            for variable in role.variables:
                if variable.name.text == name:
                    return role, variable
        return None


def kind_of(declaration: Declared) -> str:
    """Return the noun for a declaration, with its article."""
    match declaration:
        case tree.OpaqueDeclaration():
            return "an opaque type"
        case tree.OrderedDeclaration():
            return "an ordered type"
        case tree.CounterDeclaration():
            return "a counter"
        case tree.EnumDeclaration():
            return "an enum"
        case tree.RecordDeclaration():
            return "a record"
        case tree.SignatureDeclaration(kind="message"):
            return "a message"
        case tree.SignatureDeclaration(kind="request"):
            return "a request"
        case tree.SignatureDeclaration(kind="output"):
            return "an output"
        case tree.SignatureDeclaration():
            return "a question"
        case tree.ParameterDeclaration():
            return "a parameter"
        case tree.QuorumDeclaration():
            return "a quorum"
        case tree.DefinitionDeclaration():
            return "a definition"
        case tree.VariableDeclaration():
            return "a ghost variable"
        case tree.RoleDeclaration():
            return "a role"


def gather(protocol: tree.Protocol, diagnostics: Diagnostics) -> Declarations:
    """Collect the declared names, and report those declared twice or reserved."""
    found = Declarations(protocol)
    for declaration in protocol.declarations:
        if isinstance(declaration, tree.PropertyDeclaration):
            other = found.properties.get(declaration.name.text)
            if other is not None:
                duplicate(declaration.name, other.name, "property", diagnostics)
            else:
                found.properties[declaration.name.text] = declaration
            continue
        name = declaration.name
        first = found.names.get(name.text)
        if first is not None:
            duplicate(name, first.name, kind_of(first), diagnostics)
            continue
        reserved = _ALWAYS_RESERVED | _RESERVED_FOR_TYPES
        if isinstance(declaration, tree.ParameterDeclaration):
            reserved = reserved | _RESERVED_FOR_PARAMETERS
        if isinstance(declaration, tree.RoleDeclaration):
            reserved = reserved | _RESERVED_FOR_ROLES
        _refuse_reserved(name, reserved, diagnostics)
        found.names[name.text] = declaration
        match declaration:
            case tree.EnumDeclaration(members=members):
                distinct(members, "member", diagnostics)
                for member in dict.fromkeys(member.text for member in members):
                    found.members.setdefault(member, []).append(declaration)
            case tree.RecordDeclaration(fields=fields) | tree.SignatureDeclaration(fields=fields):
                distinct((f.name for f in fields), "field", diagnostics)
            case tree.RoleDeclaration():
                _gather_role(declaration, diagnostics)
            case _:
                pass
    for role in found.roles():
        for variable in role.variables:
            ghost = found.names.get(variable.name.text)
            if isinstance(ghost, tree.VariableDeclaration):
                duplicate(variable.name, ghost.name, "a ghost variable", diagnostics)
    return found


def _gather_role(role: tree.RoleDeclaration, diagnostics: Diagnostics) -> None:
    distinct((v.name for v in role.variables), "variable", diagnostics)
    distinct((t.name for t in role.timers), "timer", diagnostics)
    distinct((s.name for s in role.states), "state", diagnostics)
    for variable in role.variables:
        _refuse_reserved(variable.name, _ALWAYS_RESERVED | _RESERVED_FOR_VARIABLES, diagnostics)
    for timer in role.timers:
        distinct((f.name for f in timer.fields), "field", diagnostics)


def distinct(names: Iterable[tree.Name], noun: str, diagnostics: Diagnostics) -> None:
    """Report each name that occurs a second time."""
    first: dict[str, tree.Name] = {}
    for name in names:
        if name.text in first:
            duplicate(name, first[name.text], noun, diagnostics)
        else:
            first[name.text] = name


def duplicate(name: tree.Name, first: tree.Name, noun: str, diagnostics: Diagnostics) -> None:
    """Report that `name` was declared before, as `first`."""
    article = noun if " " in noun else f"a {noun}"
    diagnostics.error(
        Code.DUPLICATE_NAME,
        f"`{name.text}` is declared twice",
        name.span,
        help="give one of them another name",
        labels=(Label(first.span, f"it is {article} here"),),
    )


def _refuse_reserved(name: tree.Name, reserved: set[str], diagnostics: Diagnostics) -> None:
    if name.text in reserved:
        diagnostics.error(
            Code.RESERVED_NAME,
            f"`{name.text}` has a meaning of its own and can't be declared",
            name.span,
            help="choose another name",
        )
