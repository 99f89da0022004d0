"""What a spec says stays inside quotes and comments, and says the same there."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.emit import emit
from compiler.emit.text import cleaned, comment, comments, docstring, literal, width
from tests.emit.building import compiled

QUOTES = ['"', '"""', "'''", "\\", "\\n", '\\"', "\n", "\r", "\x00", "\x1b", "\u202e", "\u2028"]
OTHERS = ["\ud800", "# type: ignore", "noqa", "é", "漢", " ", "\t", "    ", "x", "{}", "\x0c"]
NASTY = st.sampled_from([*QUOTES, *OTHERS])
TEXTS = st.one_of(st.text(max_size=60), st.lists(NASTY, max_size=25).map("".join))


def value_of(lines: list[str]) -> str:
    (node,) = ast.parse("\n".join(lines) + "\n").body
    assert isinstance(node, ast.Expr)
    value = ast.literal_eval(node.value)
    assert isinstance(value, str)
    return value


@settings(derandomize=True, deadline=None)
@given(TEXTS)
def test_docstrings_keep_their_value(doc: str) -> None:
    lines = docstring(doc)
    assert inspect.cleandoc(value_of(lines)) == cleaned(doc)
    assert all(line == line.rstrip() for line in lines)


@settings(derandomize=True, deadline=None)
@given(TEXTS)
def test_indented_docstrings_keep_their_value(doc: str) -> None:
    lines = ["class C:", *docstring(doc, "    ")]
    (node,) = ast.parse("\n".join(lines) + "\n").body
    assert isinstance(node, ast.ClassDef)
    assert len(node.body) == 1
    assert ast.get_docstring(node) == cleaned(doc)


@settings(derandomize=True, deadline=None)
@given(TEXTS)
def test_literals_keep_their_value(text: str) -> None:
    written = literal(text)
    assert ast.literal_eval(written) == text
    assert "\n" not in written


@settings(derandomize=True, deadline=None)
@given(TEXTS)
def test_comments_are_one_line_and_nothing_else(text: str) -> None:
    written = comment(text, "    ")
    assert len(written.splitlines()) == 1
    assert width(written) <= 100
    assert ast.parse(written.strip()).body == []


@settings(derandomize=True, deadline=None)
@given(TEXTS)
def test_documentation_as_comments_is_comments(text: str) -> None:
    lines = comments(text, "    ")
    assert all(line.startswith("    #") and width(line) <= 100 for line in lines)
    assert ast.parse("\n".join(line.strip() for line in lines)).body == []


@settings(max_examples=25, deadline=None, derandomize=True)
@given(TEXTS, TEXTS, TEXTS)
def test_no_documentation_changes_the_code(first: str, second: str, path: str) -> None:
    plain = compiled("specs/paxos.accord")
    roles = tuple(
        replace(
            role,
            doc=first,
            variables=tuple(replace(variable, doc=second) for variable in role.variables),
            handlers=tuple(replace(handler, doc=second) for handler in role.handlers),
        )
        for role in plain.roles
    )
    messages = tuple(replace(message, doc=first) for message in plain.messages)
    protocol = replace(
        plain,
        doc=second,
        docs=(("Ballot", first), ("Value", second)),
        roles=roles,
        messages=messages,
    )
    module = ast.parse(emit(protocol, spec_path=path, proved=False))
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    if cleaned(first):
        assert ast.get_docstring(classes["Acceptor"]) == cleaned(first)
        assert ast.get_docstring(classes["Prepare"]) == cleaned(first)
    assert skeleton(module) == skeleton(
        ast.parse(emit(plain, spec_path="paxos.accord", proved=False))
    )


def skeleton(module: ast.Module) -> str:
    """Return the code without docstrings and the spec's path."""
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                first.value.value = ""
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "SPEC":
            node.value = None
    return ast.dump(module)
