"""The table that is kept between runs changes nothing but the time it takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from lark import Lark

from compiler.syntax.table import load_parser, table_directories

TEXT = (Path(__file__).parents[2] / "specs" / "paxos.accord").read_text("utf-8")


def lexed(parser: Lark) -> list[tuple[str, str]]:
    return [(token.type, str(token)) for token in parser.lex(TEXT)]


def test_kept_spoilt_and_missing_tables(tmp_path: Path) -> None:
    fresh = lexed(load_parser())
    assert lexed(load_parser([tmp_path])) == fresh
    (kept,) = tmp_path.iterdir()
    assert lexed(load_parser([tmp_path])) == fresh
    kept.write_bytes(kept.read_bytes()[:1000])
    assert lexed(load_parser([tmp_path])) == fresh


def test_the_next_directory_is_used_where_one_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    load_parser([tmp_path / "file", tmp_path / "made"])
    (kept,) = (tmp_path / "made").iterdir()
    assert kept.suffix == ".table"
    assert lexed(load_parser([tmp_path / "file"])) == lexed(load_parser())


def test_a_table_of_another_grammar_is_replaced(tmp_path: Path) -> None:
    old = tmp_path / "grammar.0123456789abcdef.table"
    old.write_bytes(b"old")
    load_parser([tmp_path])
    (kept,) = tmp_path.iterdir()
    assert kept != old


def test_without_bytecode_the_user_s_cache_directory_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert table_directories() == (tmp_path / "accordant",)
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    first, second = table_directories()
    assert (len({first, second}), second) == (2, tmp_path / "accordant")
