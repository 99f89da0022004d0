"""docs/language.md is true: its examples parse, and it lists all words and diagnostics.

A block marked `accord` holds declarations (with or without the protocol line); `accord role`
what stands in a role, `accord handler` what stands in a handler, `accord formula` one
expression a line.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from compiler.diagnostics import Code
from compiler.syntax.words import (
    DECLARATION_WORDS,
    OTHER_WORDS,
    RESERVED,
    ROLE_WORDS,
    STATEMENT_WORDS,
)
from tests.syntax.sketch import expression, parsed

TEXT = (Path(__file__).parents[2] / "docs" / "language.md").read_text("utf-8")
BLOCKS = re.findall(r"^```accord *(\w*)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("kind", "block"), BLOCKS)
def test_examples_parse(kind: str, block: str) -> None:
    match kind:
        case "role":
            parsed(f"protocol P\nrole R:\n{block}")
        case "handler":
            parsed(f"protocol P\nrole R:\n    on M:\n{textwrap.indent(block, ' ')}")
        case "formula":
            for line in block.splitlines():
                expression(line)
        case _:
            parsed(block if block.startswith("protocol") else f"protocol P\n{block}")


def test_every_kind_of_block_is_there() -> None:
    assert {kind for kind, _ in BLOCKS} == {"", "role", "handler", "formula"}


def test_every_diagnostic_is_listed() -> None:
    listed = re.findall(r"^\| ([EW]\d{3}) \|", TEXT, re.MULTILINE)
    assert listed == [code.value for code in Code]


def test_every_word_is_in_the_grammar() -> None:
    grammar = TEXT[TEXT.index("## The grammar") : TEXT.index("## Diagnostics")]
    quoted = set(re.findall(r'"([a-z]+)"', grammar))
    assert quoted == {*DECLARATION_WORDS, *ROLE_WORDS, *STATEMENT_WORDS, *OTHER_WORDS, *RESERVED}


def test_the_reserved_words_are_listed() -> None:
    (line,) = [line for line in TEXT.splitlines() if line.startswith("    and  or")]
    assert line.split() == list(RESERVED)
