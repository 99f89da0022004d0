"""Lark's parser for the grammar, and the file that its table is kept in.

Computing the LALR table takes longer than all else that happens to a small spec before the proof.
So it is kept where Python keeps the bytecode of this room, under the same conditions: written if
that directory can be written to, believed because whoever can write there can change the
program as well, and of no consequence if it is missing or spoilt. Where Python keeps no bytecode
(it is told not to, or the program is installed for all and belongs to another user), the
user's own cache directory takes its place.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import files
from importlib.util import cache_from_source
from pathlib import Path
from tempfile import TemporaryDirectory

import lark
from lark import Lark

from compiler.syntax.layout import Layout


def table_directories() -> tuple[Path, ...]:
    """Return where the table may be kept, the first choice first."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    own = named if named.is_absolute() else Path(os.path.expanduser("~/.cache"))
    users = (own / "accordant",) if own.is_absolute() else ()
    if sys.dont_write_bytecode:
        return users
    return (Path(cache_from_source(__file__)).parent, *users)


def load_parser(directories: Sequence[Path] = ()) -> Lark:
    """Return the parser, with the table that is kept in one of `directories` or a new one.

    A new table is written to the first of them that can be written to.
    """
    grammar = files(__package__).joinpath("grammar.lark").read_text("utf-8")
    state = "\n".join([grammar, lark.__version__, sys.version])
    name = f"grammar.{hashlib.sha256(state.encode()).hexdigest()[:16]}.table"
    for directory in directories:
        if os.access(directory / name, os.R_OK):
            return _build(grammar, str(directory / name))
    for directory in directories:
        with suppress(OSError):
            directory.mkdir(parents=True, exist_ok=True)
            return _build_and_keep(grammar, directory / name)
    return _build(grammar, False)


def _build_and_keep(grammar: str, place: Path) -> Lark:
    """Return a new parser and write its table, whole or not at all. Raises `OSError`."""
    with TemporaryDirectory(dir=place.parent) as draft:
        parser = _build(grammar, str(Path(draft) / place.name))
        for old in place.parent.glob("grammar.*.table"):
            old.unlink(missing_ok=True)
        (Path(draft) / place.name).replace(place)
    return parser


def _build(grammar: str, table: str | bool) -> Lark:
    return Lark(
        grammar,
        parser="lalr",
        lexer="basic",
        postlex=Layout(),
        propagate_positions=True,
        cache=table,
    )
