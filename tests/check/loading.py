"""Checking specs in tests."""

from pathlib import Path
from textwrap import dedent

from compiler.check import check, checked
from compiler.diagnostics import Code, Diagnostics, Source
from compiler.diagnostics.render import render
from compiler.syntax import parse

ROOT = Path(__file__).parents[2]


def checked_source(source: Source) -> checked.Protocol:
    """Return a spec, checked; fail with what was said about it if there was anything."""
    diagnostics = Diagnostics()
    tree = parse(source, diagnostics)
    found = None if tree is None else check(tree, source, diagnostics)
    assert found is not None, render(diagnostics.sorted(), color=False)
    assert not diagnostics.items, render(diagnostics.sorted(), color=False)
    return found


def checked_file(name: str) -> checked.Protocol:
    """Return the spec in a file of the checkout."""
    return checked_source(Source(name, (ROOT / name).read_text(encoding="utf-8")))


def checked_text(text: str) -> checked.Protocol:
    """Return the spec in a text; the first line, `protocol P`, is added."""
    return checked_source(Source("test.accord", "protocol P\n" + dedent(text)))


def codes_of(text: str) -> list[Code]:
    """Return what is said about a spec, in source order."""
    source = Source("test.accord", "protocol P\n" + dedent(text))
    diagnostics = Diagnostics()
    tree = parse(source, diagnostics)
    assert tree is not None
    assert not diagnostics.has_errors, render(diagnostics.sorted(), color=False)
    check(tree, source, diagnostics)
    return [diagnostic.code for diagnostic in diagnostics.sorted()]
