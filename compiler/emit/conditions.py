"""Conditions: what decides whether a handler is enabled, and which branch it takes.

A condition that binds names (`e is some x`) names its subject with `:=` where that is needed;
conditions that only decide whether the handler is enabled become early returns, one for each
conjunct. Questions are asked right before the condition that depends on the answer.
"""

from __future__ import annotations

from compiler.check import checked
from compiler.emit.expressions import Code
from compiler.emit.frame import Frame
from compiler.emit.simplify import asks, conjuncts
from compiler.emit.strength import Strength
from compiler.emit.text import literal


class Conditions(Frame):
    """A frame that can write conditions."""

    def ask_first(self, node: checked.Expression, given: str = "") -> None:
        """Return the questions in an expression that have no answer yet, under a condition."""
        for question in asks(node):
            name = literal(question.question.name)
            arguments = self.expressions.texts(question.arguments)
            class_ = self.names.question(question.question)
            missing = f"{name} not in answers"
            self.lines.guard(
                f"{given} and {missing}" if given else missing, f"[Ask({class_}({arguments}))]"
            )

    def require(self, condition: checked.Expression) -> None:
        """Write a condition without which the handler is not enabled."""
        for conjunct in conjuncts(condition):
            if not isinstance(conjunct, checked.Match):
                self.ask_first(conjunct)
                self.lines.guard(self.expressions.negation(conjunct).text)
                continue
            subject, pattern = conjunct.subject, conjunct.pattern
            self.ask_first(subject)
            text = self.expressions.text(subject)
            match pattern:
                case checked.BindPattern(binding=binding) if self.is_used(pattern):
                    name = self.bind(binding, "matched")
                    self.lines.add(f"{name} = {text}")
                    self.lines.guard(f"{name} is None")
                case _:
                    if self.is_used(pattern) and not is_simple(subject):
                        name = self.temporary("found")
                        self.lines.add(f"{name} = {text}")
                        text = name
                    code = Code(text) if text.isidentifier() else self.expressions.code(subject)
                    self.lines.guard(f"{code.above(Strength.COMPARE)} is None")
                    self.unpack(pattern, text)

    def condition(
        self, condition: checked.Expression
    ) -> tuple[str, list[tuple[checked.Pattern, str]]]:
        """Return a condition, and what is to be unpacked first where it holds.

        The questions in it are asked first.
        """
        texts: list[str] = []
        unpacked: list[tuple[checked.Pattern, str]] = []
        parts = conjuncts(condition)
        for conjunct in parts:
            if any(asks(conjunct)):
                self.ask_first(conjunct, " and ".join(texts))
            if isinstance(conjunct, checked.Match):
                code, place = self.match(conjunct)
                if place is not None:
                    unpacked.append((conjunct.pattern, place))
            else:
                code = self.expressions.code(conjunct)
            texts.append(code.above(Strength.OR) if len(parts) > 1 else code.text)
        return " and ".join(texts), unpacked

    def match(self, node: checked.Match) -> tuple[Code, str | None]:
        """Return a test for some value, and where its content is to be unpacked from."""
        subject, pattern = node.subject, node.pattern
        code = self.expressions.code(subject)
        place: str | None = None
        match pattern:
            case checked.BindPattern(binding=binding) if self.is_used(pattern):
                name = self.bind(binding, "matched")
                code = Code(f"({name} := {code.text})")
            case _ if self.is_used(pattern):
                if not is_simple(subject):
                    name = self.temporary("found")
                    code = Code(f"({name} := {code.text})")
                    place = name
                else:
                    place = code.text
                self.refer(pattern, place)
            case _:
                pass
        return Code(f"{code.above(Strength.COMPARE)} is not None", Strength.COMPARE), place


def is_simple(node: checked.Expression) -> bool:
    """Whether an expression is a name or an attribute: cheap to write, and narrowed by a test."""
    match node:
        case checked.Local() | checked.Read():
            return True
        case checked.FieldOf(subject=subject):
            return is_simple(subject)
        case _:
            return False
