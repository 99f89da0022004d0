"""Expressions: names resolved, types found.

Types flow both ways. `check` is given the type that the surroundings demand and reports a
mismatch; `infer` finds a type, with at most a hint from the surroundings. The hint decides
what `none`, `{}`, `zero` and a name that several enums share stand for.

Where an expression stands decides what it may do: see `mode`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

from compiler.check import access, checked, formulas, operators
from compiler.check.declarations import kind_of
from compiler.check.failure import ERROR, agree, broken, failure
from compiler.check.mode import Mode
from compiler.check.names import count_of, suggest
from compiler.check.scope import Scope
from compiler.check.symbols import Symbols
from compiler.check.types import (
    BOOL,
    EnumType,
    MapType,
    OptionType,
    OrderedType,
    RecordType,
    RoleType,
    SetType,
    TupleType,
    Type,
    is_flat,
)
from compiler.diagnostics import Code, Diagnostics, Label, Span
from compiler.syntax import tree


@dataclass(frozen=True, slots=True)
class Expressions:
    """Checks the expressions of one place: a handler of `role`, or (None) a property.

    `asks`: a question to the application may stand here.
    """

    symbols: Symbols
    scope: Scope
    mode: Mode
    role: RoleType | None
    asks: bool = False

    @property
    def diagnostics(self) -> Diagnostics:
        """Where mistakes are recorded."""
        return self.symbols.diagnostics

    def as_formula(self) -> Expressions:
        """Return a checker for formulas at the same place."""
        return replace(self, mode=Mode.FORMULA, asks=False)

    def asking(self, asks: bool) -> Expressions:
        """Return a checker for the same place that allows, or does not allow, questions."""
        return replace(self, asks=asks)

    def error(
        self,
        code: Code,
        message: str,
        span: Span,
        help_: str | None = None,
        labels: tuple[Label, ...] = (),
    ) -> checked.Expression:
        """Report a mistake and return the expression that stands for it."""
        self.diagnostics.error(code, message, span, help_, labels)
        return failure(span)

    # --- the two directions ---

    def check(self, node: tree.Expression, expected: Type) -> checked.Expression:
        """Return the expression, which must have the type `expected`."""
        found = self.infer(node, expected)
        if agree(found.type, expected):
            return found
        return self.mismatch(node, found, expected)

    def mismatch(
        self, node: tree.Expression, found: checked.Expression, expected: Type
    ) -> checked.Expression:
        """Report that `found` has not the type `expected`, at the smallest part that differs."""
        match node, found, expected:
            case (
                tree.TupleExpression(parts=nodes),
                checked.TupleValue(parts=parts),
                TupleType(parts=types),
            ) if len(parts) == len(types):
                for part_node, part, part_type in zip(nodes, parts, types, strict=True):
                    if not agree(part.type, part_type):
                        return self.mismatch(part_node, part, part_type)
            case (
                tree.SomeExpression(content=content),
                checked.SomeValue(content=value),
                OptionType(content=content_type),
            ):
                return self.mismatch(content, value, content_type)
            case _:
                pass
        help_ = None
        if isinstance(expected, OptionType) and agree(found.type, expected.content):
            help_ = "write `some …` to make an option of it"
        elif isinstance(found.type, OptionType) and agree(found.type.content, expected):
            help_ = "match it first: `if … is some x:`"
        elif isinstance(expected, SetType) and agree(found.type, expected.element):
            help_ = "write `{…}` for the set of it alone"
        elif isinstance(expected, RecordType) and isinstance(found.type, TupleType):
            help_ = f"write `{expected}(…)` to make one"
        return self.error(
            Code.TYPE_MISMATCH,
            f"this should be of type {expected}, but it is of type {found.type}",
            node.span,
            help_,
        )

    def infer(self, node: tree.Expression, hint: Type | None = None) -> checked.Expression:
        """Return the expression, of whatever type it has; `hint` is what would fit here."""
        match node:
            case tree.NameExpression():
                return self._name(node, hint)
            case tree.BoolLiteral(value=value):
                return checked.BoolValue(value, node.span)
            case tree.NoneLiteral():
                if isinstance(hint, OptionType):
                    return checked.NoneValue(hint, node.span)
                return self._untyped(node, "`none`", "an option", hint)
            case tree.SomeExpression(content=content):
                wanted = hint.content if isinstance(hint, OptionType) else None
                value_ = self.infer(content, wanted)
                self._require_flat(value_, "the content of an option")
                return checked.SomeValue(OptionType(value_.type), value_, node.span)
            case tree.TupleExpression(parts=parts):
                hints: list[Type | None] = [None] * len(parts)
                if isinstance(hint, TupleType) and len(hint.parts) == len(parts):
                    hints = list(hint.parts)
                values = tuple(self.infer(p, h) for p, h in zip(parts, hints, strict=True))
                self._no_maps(values)
                return checked.TupleValue(
                    TupleType(tuple(value.type for value in values)), values, node.span
                )
            case tree.SetExpression():
                return self._set(node, hint)
            case tree.FieldExpression():
                return access.field_of(self, node, hint)
            case tree.IndexExpression():
                return access.lookup(self, node)
            case tree.CallExpression():
                return self._call(node)
            case tree.AskExpression():
                return self._ask(node)
            case tree.UnaryExpression() | tree.BinaryExpression():
                return operators.operation(self, node)
            case tree.IsExpression():
                return operators.test(self, node)
            case tree.IntLiteral():
                return operators.no_arithmetic(self, node.span)
            case tree.Quantifier():
                return formulas.quantifier(self, node)
            case tree.Comprehension():
                return formulas.comprehension(self, node)
            case tree.SentExpression():
                return formulas.sent(self, node)
            case tree.SurvivesExpression():
                return self.error(
                    Code.BAD_FACT,
                    "`survives` stands only as the whole body of a fact",
                    node.span,
                    f"write `fact NAME: {node.quorum.text} survives …`",
                )
            case _:
                assert_never(node)

    def condition(self, node: tree.Expression) -> checked.Expression:
        """Return a condition of code; its matches bind names in the present scope."""
        match node:
            case tree.BinaryExpression(operator="and", left=left, right=right):
                first = self.condition(left)
                second = self.condition(right)
                return checked.Logical("and", first, second, node.span)
            case tree.IsExpression(subject=subject, pattern=tree.SomePattern(content=content)) if (
                content is not None
            ):
                value = operators.option(self, subject)
                type_ = value.type.content if isinstance(value.type, OptionType) else ERROR
                return checked.Match(value, self.pattern(content, type_), node.span)
            case _:
                return self.check(node, BOOL)

    def pattern(self, pattern: tree.Pattern, type_: Type) -> checked.Pattern:
        """Bind the names of a pattern that stands for a value of `type_`."""
        match pattern:
            case tree.NamePattern(name=name):
                if name.text == "_":
                    return checked.IgnorePattern(type_)
                return checked.BindPattern(self.scope.bind(name, type_, self.diagnostics))
            case tree.TuplePattern(parts=parts):
                types: tuple[Type, ...] = (ERROR,) * len(parts)
                if isinstance(type_, TupleType):
                    types = type_.parts
                elif isinstance(type_, RecordType):
                    types = tuple(field_type for _, field_type in type_.fields)
                elif not broken(type_):
                    self.error(
                        Code.BAD_PATTERN,
                        f"a value of type {type_} has no parts to match",
                        pattern.span,
                        "write one name for the whole value",
                    )
                if len(types) != len(parts):
                    self.error(
                        Code.BAD_PATTERN,
                        f"{type_} has {count_of(len(types), 'part')}, "
                        f"but the pattern has {len(parts)}",
                        pattern.span,
                        "write `_` for a part that isn't needed",
                    )
                    types = (ERROR,) * len(parts)
                inner = tuple(self.pattern(p, t) for p, t in zip(parts, types, strict=True))
                if isinstance(type_, TupleType | RecordType):
                    return checked.TuplePattern(type_, inner)
                return checked.TuplePattern(TupleType(types), inner)
            case _:
                assert_never(pattern)

    # --- names ---

    def _name(self, node: tree.NameExpression, hint: Type | None) -> checked.Expression:
        name = node.name.text
        local = self.scope.find(name)
        if local is not None:
            return checked.Local(local, node.span)
        if name == "self" and self.role is not None:
            return checked.SelfNode(self.role, node.span)
        if name == "zero":
            if isinstance(hint, OrderedType):
                return checked.Zero(hint, node.span)
            return self._untyped(node, "`zero`", "a value of an ordered type", hint)
        variable = None
        if self.role is not None:
            variable = self.symbols.variables.get(self.role.name, {}).get(name)
        if variable is not None and self.role is not None:
            return access.read(self, checked.SelfNode(self.role, node.span), variable, node.span)
        if name in self.symbols.ghosts:
            return access.read(self, None, self.symbols.ghosts[name], node.span)
        if name in self.symbols.declarations.members:
            return self._member(node, hint)
        return self._global_name(node)

    def _member(self, node: tree.NameExpression, hint: Type | None) -> checked.Expression:
        name = node.name.text
        enums = self.symbols.declarations.members[name]
        if hint is not None and broken(hint):
            return failure(node.span)
        if isinstance(hint, EnumType) and name in hint.members:
            return checked.EnumValue(hint, name, node.span)
        if len(enums) > 1:
            return self.error(
                Code.CANNOT_INFER_TYPE,
                f"`{name}` is a value of several enums",
                node.span,
                "use it where the type is known, such as in a comparison with a variable",
                tuple(Label(enum.name.span, "one of them") for enum in enums),
            )
        enum = self.symbols.enum(enums[0].name.text)
        return failure(node.span) if enum is None else checked.EnumValue(enum, name, node.span)

    def _global_name(self, node: tree.NameExpression) -> checked.Expression:
        """Return what a name that is no variable and no enum's value stands for."""
        name = node.name.text
        declaration = self.symbols.declarations.names.get(name)
        match declaration:
            case tree.RoleDeclaration(single=True):
                return checked.SingleNode(RoleType(name, declaration.span), node.span)
            case tree.RoleDeclaration():
                return self.error(
                    Code.UNKNOWN_NAME,
                    f"`{name}` is a role of many nodes, not one node",
                    node.span,
                    f"only the name of a role declared `role {name} single:` means its node",
                    (Label(declaration.name.span, "declared here"),),
                )
            case tree.DefinitionDeclaration():
                return self._call(tree.CallExpression(node.name, (), node.span))
            case tree.ParameterDeclaration():
                return operators.no_arithmetic(self, node.span)
            case None:
                return self._unknown(node)
            case _:
                return self.error(
                    Code.UNKNOWN_NAME,
                    f"`{name}` is {kind_of(declaration)}, not a value",
                    node.span,
                    labels=(Label(declaration.name.span, "declared here"),),
                )

    def _unknown(self, node: tree.NameExpression) -> checked.Expression:
        name = node.name.text
        if name == "self":
            return self.error(
                Code.UNKNOWN_NAME,
                "`self` is known only in handlers",
                node.span,
                "a property speaks of all nodes: `forall n: Role: …`",
            )
        if name in self.scope.forgiven:
            return failure(node.span)
        owned = self.symbols.declarations.role_variable(name)
        if owned is not None:
            role, variable = owned
            if self.mode is Mode.INITIAL:
                return access.bad_initial_value(self, node.span, variable.name.span)
            letter = role.name.text[0].lower()
            help_ = (
                f"name the node: `forall {letter}: {role.name.text}: … {letter}.{name} …`"
                if self.mode is Mode.FORMULA
                else "a node reads only its own variables; have the value sent in a message"
            )
            return self.error(
                Code.FOREIGN_VARIABLE,
                f"`{name}` is a variable of {role.name.text}"
                + ("" if self.role is None else f", not of {self.role.name}"),
                node.span,
                help_,
                (Label(variable.name.span, "declared here"),),
            )
        known = [*self.scope.names(), *self.symbols.declarations.members, "zero"]
        if self.role is not None:
            known += ["self", *self.symbols.variables.get(self.role.name, {})]
        if self.mode is Mode.FORMULA:
            known += self.symbols.ghosts
        known += [r.name.text for r in self.symbols.declarations.roles() if r.single]
        return self.error(
            Code.UNKNOWN_NAME, f"`{name}` is not known here", node.span, suggest(name, known)
        )

    def _untyped(
        self, node: tree.Expression, what: str, category: str, hint: Type | None
    ) -> checked.Expression:
        """Report a literal that does not fit its surroundings, or has none to go by."""
        if hint is not None and broken(hint):
            return failure(node.span)
        if hint is not None:
            return self.error(
                Code.TYPE_MISMATCH,
                f"this should be of type {hint}, but {what} is {category}",
                node.span,
            )
        return self.error(
            Code.CANNOT_INFER_TYPE,
            f"the type of {what} isn't clear here",
            node.span,
            f"{what} is {category}; use it where a type is known, such as beside a variable",
        )

    # --- values ---

    def _set(self, node: tree.SetExpression, hint: Type | None) -> checked.Expression:
        element_hint = hint.element if isinstance(hint, SetType) else None
        if not node.elements:
            if isinstance(hint, SetType):
                return checked.SetValue(hint, (), node.span)
            return self._untyped(node, "`{}`", "an empty set", hint)
        first = self.infer(node.elements[0], element_hint)
        self._require_flat(first, "an element of a set")
        type_ = (
            element_hint if element_hint is not None and not broken(element_hint) else first.type
        )
        rest = tuple(self.check(element, type_) for element in node.elements[1:])
        return checked.SetValue(SetType(first.type), (first, *rest), node.span)

    def _require_flat(self, value: checked.Expression, what: str) -> None:
        if not is_flat(value.type) and not broken(value.type):
            self.error(Code.UNSUPPORTED_TYPE, f"{what} can't be of type {value.type}", value.span)

    def _no_maps(self, values: tuple[checked.Expression, ...]) -> None:
        for value in values:
            if isinstance(value.type, MapType):
                self.error(
                    Code.UNSUPPORTED_TYPE,
                    "a map can't be part of another value",
                    value.span,
                    "use its entries, `m[k]`",
                )

    def arguments(
        self,
        name: str,
        parameters: tuple[tuple[str, Type], ...],
        arguments: tuple[tree.Expression, ...],
        span: Span,
        declared: Span,
    ) -> tuple[checked.Expression, ...]:
        """Return the arguments for `parameters`; report it if there are too few or many."""
        if len(arguments) != len(parameters):
            self.wrong_count(name, parameters, len(arguments), span, declared)
            for argument in arguments:
                self.infer(argument, ERROR)
            return tuple(failure(span) for _ in parameters)
        return tuple(
            self.check(argument, type_)
            for argument, (_, type_) in zip(arguments, parameters, strict=True)
        )

    def wrong_count(
        self,
        name: str,
        parameters: tuple[tuple[str, Type], ...],
        given: int,
        span: Span,
        declared: Span,
    ) -> None:
        """Report that `given` is not the number of `parameters`."""
        takes = count_of(len(parameters), "value") if parameters else "no values"
        self.error(
            Code.WRONG_ARGUMENT_COUNT,
            f"`{name}` takes {takes}, but {given or 'none'} {'is' if given == 1 else 'are'} given",
            span,
            f"it is `{name}({', '.join(f'{p}: {t}' for p, t in parameters)})`"
            if parameters
            else None,
            (Label(declared, "declared here"),),
        )

    def _call(self, node: tree.CallExpression) -> checked.Expression:
        name = node.function.text
        declaration = self.symbols.declarations.names.get(name)
        match declaration:
            case tree.RecordDeclaration():
                type_ = self.symbols.types.named(node.function)
                if not isinstance(type_, RecordType):
                    return failure(node.span)
                parts = self.arguments(
                    name, type_.fields, node.arguments, node.span, declaration.name.span
                )
                return checked.RecordValue(type_, parts, node.span)
            case tree.DefinitionDeclaration():
                return formulas.call(self, node, declaration)
            case tree.SignatureDeclaration(kind="ask"):
                return self.error(
                    Code.UNKNOWN_NAME,
                    f"`{name}` is a question to the application",
                    node.span,
                    f"write `ask {name}(…)`",
                    (Label(declaration.name.span, "declared here"),),
                )
            case tree.SignatureDeclaration(kind=kind):
                word = {"message": "sent", "request": "requested", "output": "output"}[kind]
                return self.error(
                    Code.UNKNOWN_NAME,
                    f"`{name}` is {kind_of(declaration)}, not a value",
                    node.span,
                    f"in a formula, write `{word} {name}(…)`",
                    (Label(declaration.name.span, "declared here"),),
                )
            case _:
                known = [
                    n
                    for n, d in self.symbols.declarations.names.items()
                    if isinstance(d, tree.RecordDeclaration | tree.DefinitionDeclaration)
                ]
                return self.error(
                    Code.UNKNOWN_NAME,
                    f"there is no record or definition `{name}`",
                    node.function.span,
                    suggest(name, known),
                )

    def _ask(self, node: tree.AskExpression) -> checked.Expression:
        if self.mode is Mode.FORMULA:
            return self.error(
                Code.CODE_IN_FORMULA,
                "a formula can't ask the application",
                node.span,
                "ask in a handler, and keep the answer in a variable",
            )
        question = self.symbols.question(node.question)
        if question is None:
            return failure(node.span)
        if not self.asks:
            self.error(
                Code.NOT_EXECUTABLE,
                "a question can't be asked here",
                node.span,
                f"ask in a condition, or first write `let answer = ask {question.name}(…)`",
            )
        parameters = tuple((f.name, f.type) for f in question.fields)
        values = self.asking(False).arguments(
            question.name, parameters, node.arguments, node.span, question.span
        )
        return checked.AskValue(question.result, question, values, node.span)
