"""Long statements are laid out as `ruff format` lays them out."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from compiler.emit.wrap import wrap

RUFF = Path(sys.executable).parent / "ruff"


class Statements:
    """Makes statements of the kinds that generated code has, of any length."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def name(self) -> str:
        length = self.random.choice([1, 3, 6, 10, 16, 24])
        return "".join(self.random.choice("abcdghjk") for _ in range(length))

    def atom(self) -> str:
        name = self.name()
        return self.random.choice(
            [name, f"self.{name}", f"self.cluster.{name}", f"{name}.{self.name()}", "True"]
        )

    def several(self, depth: int, least: int = 0) -> str:
        count = self.random.randrange(least, 4)
        return ", ".join(self.value(depth) for _ in range(count))

    def value(self, depth: int) -> str:
        if depth <= 0:
            return self.atom()
        match self.random.randrange(7):
            case 0:
                return self.atom()
            case 1:
                return f"{self.name().capitalize()}({self.several(depth - 1)})"
            case 2:
                return f"self.{self.name()}.get({self.value(depth - 1)}, set())"
            case 3:
                return f"({self.value(depth - 1)}, {self.several(depth - 1, 1)})"
            case 4:
                return f"self.{self.name()}[{self.value(depth - 1)}]"
            case 5:
                return f"len({self.value(depth - 1)})"
            case _:
                return f"{{{self.several(depth - 1, 1)}}}"

    def comparison(self, depth: int) -> str:
        value = self.value(depth)
        match self.random.randrange(7):
            case 0:
                return value
            case 1:
                return f"2 * len({value}) > len({self.atom()}) - self.cluster.f"
            case 2:
                return f"{value} is not None"
            case 3:
                return f"({self.name()} := {value}) is not None"
            case 4:
                inner = f"{value} not in {self.value(depth - 1)}"
                return f"all({inner} for {self.name()} in {self.value(depth - 1)})"
            case 5:
                return f"({self.atom()}.owner or {self.atom()}[0]) != {value}"
            case _:
                sign = self.random.choice(["==", "!=", "in", "not in", ">", "<="])
                return f"{value} {sign} {self.value(depth)}"

    def condition(self, depth: int) -> str:
        parts = [self.comparison(depth) for _ in range(self.random.randrange(1, 4))]
        match self.random.randrange(4):
            case 0:
                return " and ".join(parts)
            case 1:
                return " or ".join(parts)
            case 2:
                return f"not ({parts[0]} or {self.comparison(depth)})"
            case _:
                inner = f"({self.comparison(depth)} or not {self.comparison(depth)})"
                return " and ".join([*parts, inner])

    def effect(self, depth: int) -> str:
        message = f"{self.name().capitalize()}({self.several(depth)})"
        match self.random.randrange(3):
            case 0:
                return f"Send({self.atom()}, {message})"
            case 1:
                write = f'Write("{self.name()}", ({self.value(depth)},), {self.value(depth)})'
                return f"persist({write})"
            case _:
                return f"*broadcast(self.cluster.{self.name()}, {message})"

    def statement(self) -> str:
        depth = self.random.choice([0, 1, 1, 2])
        match self.random.randrange(8):
            case 0 | 1:
                return f"if {self.condition(depth)}:"
            case 2:
                effects = [self.effect(depth) for _ in range(self.random.randrange(1, 4))]
                return f"return [{', '.join(effects)}]"
            case 3:
                return f"self.{self.name()} = {self.value(depth)}"
            case 4:
                condition = self.condition(depth)
                domain = f"sorted({self.value(depth)}, key=repr)"
                return (
                    f"{self.name()} = [{self.name()} for {self.name()} in {domain} if {condition}]"
                )
            case 5:
                return f"for {self.name()} in sorted({self.value(depth)}, key=repr):"
            case 6:
                key = self.value(depth)
                return f"self.{self.name()}.setdefault({key}, set()).add({self.value(depth)})"
            case _:
                return f"assert {self.condition(depth)}"

    def long(self) -> str:
        while True:
            statement = self.statement()
            if len(statement) > 92:
                return statement


def function(lines: list[str]) -> str:
    body = [*lines, "        pass"] if lines[-1].endswith(":") else lines
    return "\n".join(["def f():", *body]) + "\n"


@pytest.mark.parametrize("seed", range(4))
def test_long_statements_are_wrapped_as_the_formatter_does(seed: int) -> None:
    statements = Statements(seed)
    written = [statements.long() for _ in range(250)]
    flat = "\n\n".join(function([f"    {statement}"]) for statement in written)
    done = subprocess.run(
        [RUFF, "format", "--isolated", "--line-length", "100", "-"],
        input=flat,
        capture_output=True,
        text=True,
        check=True,
    )
    expected = done.stdout.split("\n\n\n")
    for statement, formatted in zip(written, expected, strict=True):
        assert function(wrap(statement, 4)).rstrip() == formatted.rstrip()


def test_what_fits_stays_on_its_line() -> None:
    assert wrap("self.promised = ballot", 8) == ["        self.promised = ballot"]


def test_a_long_signature() -> None:
    signature = (
        "def deliver(self, message: Message, sender: NodeId, answers: Answers = NONE) -> None:"
    )
    assert wrap(signature, 16) == [
        "                def deliver(",
        "                    self, message: Message, sender: NodeId, answers: Answers = NONE",
        "                ) -> None:",
    ]
