"""Expressions of the language as expressions of Python, each on one line.

Code reads like the spec: the same order of operands, the same names, no parentheses that
Python does not need. `Code` carries how strongly a text holds together, so that whatever
embeds it knows whether parentheses are due.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, assert_never

from compiler.check import checked
from compiler.check.types import MapType, QuorumType, RoleType, SetType
from compiler.diagnostics import Code as Mistake
from compiler.diagnostics import Diagnostic, Span, SpecError
from compiler.emit import types
from compiler.emit.scopes import Names
from compiler.emit.strength import Strength


@dataclass(frozen=True, slots=True)
class Code:
    """An expression of Python."""

    text: str
    strength: Strength = Strength.ATOM

    def above(self, strength: Strength) -> str:
        """Return the text where it must hold together better than `strength`."""
        return self.text if self.strength > strength else f"({self.text})"

    @property
    def atom(self) -> str:
        """The text where it must be one operand."""
        return self.above(Strength.UNARY)


_Operator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]

_MIRRORED: Mapping[_Operator, _Operator] = {
    "=": "=",
    "!=": "!=",
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
}
_SIGNS = {"=": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


@dataclass(slots=True)
class Expressions:
    """Writes the expressions of one handler (or of a role's initial values).

    `locals` are the texts of bindings by number: a local variable, or, inside the condition
    that binds it, where the value comes from.
    """

    names: Names
    role: RoleType
    quorums: dict[str, checked.Quorum]
    initials: dict[tuple[str, str], checked.Expression | None]
    locals: dict[int, str] = field(default_factory=dict)

    def text(self, node: checked.Expression) -> str:
        """Return the text of an expression that stands alone."""
        return self.code(node).text

    def texts(self, nodes: Sequence[checked.Expression]) -> str:
        """Return fixed values as arguments of a call."""
        return ", ".join(self.fixed(node).text for node in nodes)

    def fixed(self, node: checked.Expression) -> Code:
        """Return an expression whose value nobody can change afterwards."""
        if not isinstance(node.type, SetType) or self.is_fixed(node):
            return self.code(node)
        if isinstance(node, checked.SetValue) and not node.elements:
            return Code("frozenset()")
        return Code(f"frozenset({self.text(node)})")

    def is_fixed(self, node: checked.Expression) -> bool:
        """Whether the value of a set expression is a `frozenset`."""
        return isinstance(node, checked.FieldOf | checked.Local) or (
            isinstance(node, checked.Read) and node.variable.kind == "const"
        )

    def code(self, node: checked.Expression) -> Code:
        """Return an expression."""
        match node:
            case checked.Local(binding=binding):
                text = self.locals[binding.number]
                return Code(text)
            case checked.SelfNode():
                return Code("self.id")
            case checked.SingleNode(type=role):
                return Code(f"self.cluster.{self.names.nodes_of(role)}[0]")
            case checked.Read(variable=variable):
                return Code(f"self.{self.names.variable(self.role, variable.name)}")
            case checked.BoolValue(value=value):
                return Code(str(value))
            case checked.EnumValue(type=enum, member=member):
                return Code(self.names.member(enum, member))
            case checked.Zero(type=ordered):
                return Code(self.names.zero(ordered))
            case checked.NoneValue():
                return Code("None")
            case checked.SomeValue(content=content):
                return self.fixed(content)
            case checked.TupleValue(parts=parts):
                return Code(f"({self.texts(parts)})")
            case checked.RecordValue(type=record, parts=parts):
                return Code(f"{self.names.type(record)}({self.texts(parts)})")
            case checked.SetValue(elements=elements):
                return Code(f"{{{self.texts(elements)}}}" if elements else "set()")
            case checked.FieldOf(subject=subject, name=name):
                class_ = self.names.type(subject.type)
                return Code(f"{self.code(subject).atom}.{self.names.field(class_, name)}")
            case checked.OwnerOf(type=role, subject=subject):
                owner = f"{self.code(subject).atom}.owner"
                first = f"self.cluster.{self.names.nodes_of(role)}[0]"
                return Code(f"{owner} or {first}", Strength.OR)
            case checked.Neighbour(direction="next", subject=subject):
                return Code(f"{_at_least(self.code(subject), Strength.ADD)} + 1", Strength.ADD)
            case checked.Neighbour(subject=subject):
                return Code(f"max({_at_least(self.code(subject), Strength.ADD)} - 1, 0)")
            case checked.Lookup():
                return self.lookup(node)
            case checked.Not(operand=operand):
                return self.negation(operand)
            case checked.Logical():
                return self.logical(node)
            case checked.Compare():
                return self.compare(node)
            case checked.Member(element=element, set=set_):
                return self.member(element, set_, "in")
            case checked.Includes(set=set_, quorum=quorum):
                return self.includes(set_, quorum)
            case checked.InState(state=state):
                text = f"self.state is {self.names.state(self.role, state)}"
                return Code(text, Strength.COMPARE)
            case checked.IsSome(subject=subject):
                text = f"{self.code(subject).above(Strength.COMPARE)} is not None"
                return Code(text, Strength.COMPARE)
            case checked.QuantifiedIn(kind=kind, binding=binding, domain=domain, body=body):
                function = "all" if kind == "forall" else "any"
                name = self.locals[binding.number]
                domain_text = self.code(domain).above(Strength.OR)
                return Code(f"{function}({self.text(body)} for {name} in {domain_text})")
            case checked.AskValue(question=question):
                return Code(f"{self.names.answer(question)}(answers)")
            case (
                checked.Match()
                | checked.IsDown()
                | checked.Comprehension()
                | checked.Quantified()
                | checked.Sent()
                | checked.CallDefinition()
                | checked.Survives()
                | checked.IntValue()
                | checked.IntName()
                | checked.Arithmetic()
            ):
                raise AssertionError(f"{type(node).__name__} is not code")
            case _:
                assert_never(node)

    # --- maps ---

    def lookup(self, node: checked.Lookup) -> Code:
        """Return a read of a map's entry; it makes no entry where there is none."""
        keys: list[str] = []
        map_: checked.Expression = node
        while isinstance(map_, checked.Lookup):
            keys.append(self.text(map_.key))
            map_ = map_.map
        if not isinstance(map_, checked.Read):
            raise unsupported("a map can be read only where it is kept", map_.span)
        text = self.text(map_)
        *outer, last = reversed(keys)
        for key in outer:
            text += f".get({key}, {{}})"
        value = self.entry_default(map_.variable)
        if value is None:
            return Code(f"{text}[{last}]")
        return Code(f"{text}.get({last})" if value == "None" else f"{text}.get({last}, {value})")

    def entry_default(self, variable: checked.Variable) -> str | None:
        """Return the value of a variable's entries that were never assigned."""
        initial = self.initials[self.role.name, variable.name]
        if initial is not None:
            return self.text(initial)
        return types.default(variable.type, self.names)

    def entry(self, variable: checked.Variable, keys: Sequence[checked.Expression]) -> str:
        """Return the place of an entry, which must be there."""
        text = f"self.{self.names.variable(self.role, variable.name)}"
        return text + "".join(f"[{self.text(key)}]" for key in keys)

    # --- logic ---

    def logical(self, node: checked.Logical) -> Code:
        """Return a connective."""
        match node.operator:
            case "and":
                left = self.code(node.left)
                right = self.code(node.right)
                return Code(
                    f"{_at_least(left, Strength.AND)} and {_at_least(right, Strength.AND)}",
                    Strength.AND,
                )
            case "or":
                return self.either(self.code(node.left), self.code(node.right))
            case "implies":
                return self.either(self.negation(node.left), self.code(node.right))
            case "iff":
                left = self.code(node.left)
                right = self.code(node.right)
                return Code(
                    f"{left.above(Strength.COMPARE)} == {right.above(Strength.COMPARE)}",
                    Strength.COMPARE,
                )
            case _:
                assert_never(node.operator)

    def either(self, left: Code, right: Code) -> Code:
        """Return a disjunction."""
        return Code(
            f"{_at_least(left, Strength.OR)} or {_at_least(right, Strength.OR)}", Strength.OR
        )

    def negation(self, node: checked.Expression) -> Code:
        """Return the negation, by the opposite operator where Python has one.

        Order stays as it is written: `not a > b`.
        """
        match node:
            case checked.Not(operand=operand):
                return self.code(operand)
            case checked.Compare(operator="="):
                return self.compare(_with_operator(node, "!="))
            case checked.Compare(operator="!="):
                return self.compare(_with_operator(node, "="))
            case checked.Member(element=element, set=set_):
                return self.member(element, set_, "not in")
            case checked.InState(state=state):
                text = f"self.state is not {self.names.state(self.role, state)}"
                return Code(text, Strength.COMPARE)
            case checked.IsSome(subject=subject):
                text = f"{self.code(subject).above(Strength.COMPARE)} is None"
                return Code(text, Strength.COMPARE)
            case checked.BoolValue(value=value):
                return Code(str(not value))
            case _:
                return Code(f"not {_at_least(self.code(node), Strength.NOT)}", Strength.NOT)

    def compare(self, node: checked.Compare) -> Code:
        """Return a comparison, with a constant on its right."""
        operator, left, right = node.operator, node.left, node.right
        if is_constant(left) and not is_constant(right):
            operator, left, right = _MIRRORED[operator], right, left
        match right:
            case checked.BoolValue(value=value) if operator in ("=", "!="):
                return self.code(left) if value == (operator == "=") else self.negation(left)
            case checked.NoneValue():
                sign = "is" if operator == "=" else "is not"
            case _:
                sign = _SIGNS[operator]
        text = (
            f"{self.code(left).above(Strength.COMPARE)} {sign} "
            f"{self.code(right).above(Strength.COMPARE)}"
        )
        return Code(text, Strength.COMPARE)

    def member(self, element: checked.Expression, set_: checked.Expression, sign: str) -> Code:
        """Return a test for membership."""
        text = (
            f"{self.fixed(element).above(Strength.COMPARE)} {sign} "
            f"{self.code(set_).above(Strength.COMPARE)}"
        )
        return Code(text, Strength.COMPARE)

    # --- quorums ---

    def includes(self, set_: checked.Expression, quorum: QuorumType) -> Code:
        """Return the threshold of a quorum for the size of a set."""
        return self.threshold(self.quorums[quorum.name].threshold, f"len({self.text(set_)})")

    def threshold(self, node: checked.Expression, size: str) -> Code:
        """Return a threshold or a part of it; `size` is the text for the size."""
        match node:
            case checked.IntValue(value=value):
                return Code(str(value), Strength.UNARY if value < 0 else Strength.ATOM)
            case checked.IntName(kind="size"):
                return Code(size)
            case checked.IntName(kind="total", role=RoleType() as role):
                return Code(f"len(self.cluster.{self.names.nodes_of(role)})")
            case checked.IntName(name=name):
                return Code(f"self.cluster.{self.names.parameter(name)}")
            case checked.Arithmetic(operator=operator, left=left, right=right):
                level = Strength.ADD if operator in ("+", "-") else Strength.MULTIPLY
                left_text = _at_least(self.threshold(left, size), level)
                right_text = self.threshold(right, size).above(level)
                return Code(f"{left_text} {operator} {right_text}", level)
            case checked.Compare(operator=operator, left=left, right=right):
                if is_constant(left) and not is_constant(right):
                    operator, left, right = _MIRRORED[operator], right, left
                left_text = self.threshold(left, size).above(Strength.COMPARE)
                right_text = self.threshold(right, size).above(Strength.COMPARE)
                return Code(f"{left_text} {_SIGNS[operator]} {right_text}", Strength.COMPARE)
            case checked.Logical(operator="and", left=left, right=right):
                parts = (self.threshold(left, size), self.threshold(right, size))
                text = " and ".join(_at_least(part, Strength.AND) for part in parts)
                return Code(text, Strength.AND)
            case checked.Logical(operator="or", left=left, right=right):
                return self.either(self.threshold(left, size), self.threshold(right, size))
            case checked.Not(operand=operand):
                inner = _at_least(self.threshold(operand, size), Strength.NOT)
                return Code(f"not {inner}", Strength.NOT)
            case checked.BoolValue(value=value):
                return Code(str(value))
            case _:
                raise AssertionError(f"{type(node).__name__} in a threshold")


def _with_operator(node: checked.Compare, operator: _Operator) -> checked.Compare:
    return checked.Compare(operator, node.left, node.right, node.span)


def _at_least(code: Code, strength: Strength) -> str:
    return code.text if code.strength >= strength else f"({code.text})"


def is_constant(node: checked.Expression) -> bool:
    """Whether the value of `node` is written in it."""
    match node:
        case (
            checked.EnumValue()
            | checked.Zero()
            | checked.BoolValue()
            | checked.NoneValue()
            | checked.IntValue()
        ):
            return True
        case checked.SomeValue(content=content):
            return is_constant(content)
        case checked.TupleValue(parts=parts):
            return all(is_constant(part) for part in parts)
        case checked.Arithmetic(left=left, right=right):
            return is_constant(left) and is_constant(right)
        case _:
            return False


def unsupported(message: str, span: Span) -> SpecError:
    """Return the error for what the language allows and generated code can't do."""
    help_ = "use its entries, `m[k]`"
    return SpecError((Diagnostic(Mistake.NOT_EXECUTABLE, message, span, help_),))


def is_map(node: checked.Expression) -> bool:
    """Whether the value of `node` is a whole map."""
    return isinstance(node.type, MapType)
