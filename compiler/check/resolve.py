"""Types as written to types as meant, and which types may stand where.

Every variable must be a bundle of first-order functions and relations (see `types`), so the
contents of options and sets and the keys of maps are flat, and a map stands only as a variable
or as the value of another map.
"""

from __future__ import annotations

from typing import assert_never

from compiler.check import checked
from compiler.check.declarations import Declarations, kind_of
from compiler.check.failure import ERROR, broken
from compiler.check.names import suggest, suggest_or_list
from compiler.check.types import (
    BOOL,
    EnumType,
    MapType,
    OpaqueType,
    OptionType,
    OrderedType,
    QuorumType,
    RecordType,
    RoleType,
    SetType,
    TupleType,
    Type,
    is_flat,
)
from compiler.diagnostics import Code, Diagnostics, Label, Span
from compiler.syntax import tree

_NUMBER_WORDS = {"int", "integer", "nat", "number", "Int", "Nat", "Integer"}
_TYPE_DECLARATIONS = (
    tree.OpaqueDeclaration,
    tree.OrderedDeclaration,
    tree.CounterDeclaration,
    tree.EnumDeclaration,
    tree.RecordDeclaration,
    tree.QuorumDeclaration,
    tree.RoleDeclaration,
)


class Types:
    """The resolved types of a spec; each name is resolved once."""

    def __init__(self, declarations: Declarations, diagnostics: Diagnostics) -> None:
        self.declarations = declarations
        self.diagnostics = diagnostics
        self._named: dict[str, Type] = {}
        self._open: list[str] = []  # records whose fields are being resolved

    def is_type(self, name: str) -> bool:
        """Whether `name` names a type."""
        return name == "bool" or isinstance(self.declarations.names.get(name), _TYPE_DECLARATIONS)

    def named(self, name: tree.Name) -> Type:
        """Return the type called `name`; report it if there is none."""
        if name.text == "bool":
            return BOOL
        if name.text in self._named:
            return self._named[name.text]
        declaration = self.declarations.names.get(name.text)
        resolved: Type
        match declaration:
            case tree.OpaqueDeclaration():
                resolved = OpaqueType(name.text, declaration.span)
            case tree.OrderedDeclaration(owner=owner):
                owner_type = None if owner is None else self.role(owner)
                resolved = OrderedType(name.text, owner_type, declaration.span)
            case tree.CounterDeclaration():
                resolved = OrderedType(name.text, None, declaration.span, counts=True)
            case tree.EnumDeclaration(members=members):
                resolved = EnumType(
                    name.text,
                    tuple(dict.fromkeys(member.text for member in members)),
                    declaration.span,
                )
            case tree.RoleDeclaration():
                resolved = RoleType(name.text, declaration.span)
            case tree.QuorumDeclaration(role=role):
                role_type = self.role(role)
                resolved = (
                    ERROR
                    if role_type is None
                    else QuorumType(name.text, role_type, declaration.span)
                )
            case tree.RecordDeclaration():
                resolved = self._record(declaration, name)
            case None:
                return self._unknown_type(name)
            case _:
                self.diagnostics.error(
                    Code.UNKNOWN_TYPE,
                    f"`{name.text}` is {kind_of(declaration)}, not a type",
                    name.span,
                    labels=(Label(declaration.name.span, "declared here"),),
                )
                return ERROR
        self._named[name.text] = resolved
        return resolved

    def _record(self, declaration: tree.RecordDeclaration, use: tree.Name) -> Type:
        name = declaration.name.text
        if name in self._open:
            self.diagnostics.error(
                Code.CIRCULAR_DEFINITION,
                f"record `{name}` contains itself",
                use.span,
                help="a record has a fixed size; keep the parts in a map and refer to them by key",
                labels=(Label(declaration.name.span, "declared here"),),
            )
            return ERROR
        self._open.append(name)
        fields = tuple(
            (f.name.text, self.resolve(f.type, inside="a record")) for f in declaration.fields
        )
        self._open.pop()
        return RecordType(name, fields, declaration.span)

    def _unknown_type(self, name: tree.Name) -> Type:
        known = [n for n, d in self.declarations.names.items() if isinstance(d, _TYPE_DECLARATIONS)]
        help_ = suggest(name.text, ["bool", *known])
        if name.text in _NUMBER_WORDS:
            help_ = (
                "variables hold no numbers; declare an `ordered` type for what is only compared, "
                "or a `counter` for what goes up in steps of one"
            )
        self.diagnostics.error(
            Code.UNKNOWN_TYPE, f"there is no type `{name.text}`", name.span, help_
        )
        self._named[name.text] = ERROR
        return ERROR

    def role(self, name: tree.Name) -> RoleType | None:
        """Return the role called `name`; report it and return None if there is none."""
        declaration = self.declarations.names.get(name.text)
        if isinstance(declaration, tree.RoleDeclaration):
            return RoleType(name.text, declaration.span)
        if declaration is None:
            known = [role.name.text for role in self.declarations.roles()]
            self.diagnostics.error(
                Code.UNKNOWN_ROLE,
                f"there is no role `{name.text}`",
                name.span,
                suggest_or_list(name.text, known, "roles"),
            )
        else:
            self.diagnostics.error(
                Code.UNKNOWN_ROLE,
                f"`{name.text}` is {kind_of(declaration)}, not a role",
                name.span,
                labels=(Label(declaration.name.span, "declared here"),),
            )
        return None

    def quorum(self, name: tree.Name) -> QuorumType | None:
        """Return the quorum called `name`; report it and return None if there is none."""
        declaration = self.declarations.names.get(name.text)
        if isinstance(declaration, tree.QuorumDeclaration):
            found = self.named(name)
            return found if isinstance(found, QuorumType) else None
        known = [
            n for n, d in self.declarations.names.items() if isinstance(d, tree.QuorumDeclaration)
        ]
        if declaration is None:
            self.diagnostics.error(
                Code.UNKNOWN_QUORUM,
                f"there is no quorum `{name.text}`",
                name.span,
                suggest_or_list(name.text, known, "quorums")
                if known
                else f"declare one: `quorum {name.text} of ROLE: 2 * size > total`",
            )
        else:
            self.diagnostics.error(
                Code.UNKNOWN_QUORUM,
                f"`{name.text}` is {kind_of(declaration)}, not a quorum",
                name.span,
                suggest(name.text, known),
                (Label(declaration.name.span, "declared here"),),
            )
        return None

    def resolve(self, expression: tree.TypeExpression, inside: str | None = None) -> Type:
        """Return the type as meant; `inside` names what a map here would be wrongly part of."""
        match expression:
            case tree.NamedType(name=name):
                return self.named(name)
            case tree.OptionType(content=content):
                return OptionType(self._flat_part(content, "the content of an option"))
            case tree.SetType(element=element):
                return SetType(self._flat_part(element, "an element of a set"))
            case tree.MapType(key=key, value=value):
                if inside is not None:
                    self.unsupported(
                        f"a map can't be part of {inside}",
                        expression.span,
                        "a map is a variable, or the value of another map",
                    )
                    return ERROR
                return MapType(self._flat_part(key, "the key of a map"), self.resolve(value))
            case tree.TupleType(parts=parts):
                return TupleType(tuple(self.resolve(part, "a tuple") for part in parts))
            case _:
                assert_never(expression)

    def _flat_part(self, expression: tree.TypeExpression, what: str) -> Type:
        found = self.resolve(expression, what)
        if broken(found) or is_flat(found):
            return found
        self.unsupported(
            f"{what} can't be of type {found}",
            expression.span,
            "it must be made of bool, enums, roles, opaque and ordered types, counters, "
            "or records and tuples of these",
        )
        return ERROR

    def unsupported(self, message: str, span: Span, help_: str | None = None) -> None:
        """Report a type that can't stand where it does."""
        self.diagnostics.error(Code.UNSUPPORTED_TYPE, message, span, help_)

    def variable(self, declaration: tree.VariableDeclaration) -> Type:
        """Return the type of a variable; quorums only in ghosts."""
        found = self.resolve(declaration.type)
        if declaration.kind != "ghost" and mentions_quorum(found):
            self.unsupported(
                "a quorum can be kept only in a ghost variable",
                declaration.type.span,
                "keep a `set` of nodes and test it with `includes`",
            )
            return ERROR
        return found

    def flat(
        self,
        expression: tree.TypeExpression,
        what: str,
        *,
        option: bool,
        quorum: bool,
        sets: bool = False,
    ) -> Type:
        """Return a type that must be flat, or an option or set if `option` or `sets` allows it."""
        found = self.resolve(expression, what)
        if broken(found):
            return ERROR
        allowed = (
            is_flat(found)
            or (option and isinstance(found, OptionType))
            or (sets and isinstance(found, SetType))
        )
        if not allowed:
            choices = "flat"
            if option and sets:
                choices = "flat, an option of a flat type or a set of a flat type"
            elif sets:
                choices = "flat or a set of a flat type"
            excluded = ["maps"] if sets else ["sets", "maps"]
            excluded += [] if option else ["options"]
            self.unsupported(
                f"{what} can't be of type {found}",
                expression.span,
                f"it must be {choices}: no {' or '.join(excluded)}",
            )
            return ERROR
        if not quorum and mentions_quorum(found):
            self.unsupported(
                f"{what} can't be a quorum",
                expression.span,
                "quorums exist only in formulas and ghost variables",
            )
            return ERROR
        return found

    def fields(
        self, parameters: tuple[tree.Parameter, ...], what: str, *, compound: bool
    ) -> tuple[checked.Field, ...]:
        """Return the fields of a message, request, output, question or timer.

        `compound`: they may be options and sets.
        """
        return tuple(
            checked.Field(
                p.name.text,
                self.flat(
                    p.type, f"a field of {what}", option=compound, quorum=False, sets=compound
                ),
                p.span,
            )
            for p in parameters
        )


def mentions_quorum(type_: Type) -> bool:
    """Whether a quorum type occurs in `type_`."""
    match type_:
        case QuorumType():
            return True
        case OptionType(content=content):
            return mentions_quorum(content)
        case SetType(element=element):
            return mentions_quorum(element)
        case MapType(key=key, value=value):
            return mentions_quorum(key) or mentions_quorum(value)
        case TupleType(parts=parts):
            return any(mentions_quorum(part) for part in parts)
        case RecordType(fields=fields):
            return any(mentions_quorum(field_type) for _, field_type in fields)
        case _:
            return False
