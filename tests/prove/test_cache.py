"""The cache: a core is found where it lies within the hypotheses, and damage is no entry."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from compiler.prove.cache import Cache, default_directory, solver_version


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", "1.0")


def entries(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "cache").rglob("*") if path.is_file())


def test_empty(cache: Cache, tmp_path: Path) -> None:
    assert cache.find("d", frozenset("abc")) is None
    assert not (tmp_path / "cache").exists()


def test_a_core_within_the_hypotheses_is_found(cache: Cache) -> None:
    cache.store("d", {"a", "b"})
    assert cache.find("d", frozenset("abc")) == frozenset("ab")
    assert cache.find("d", frozenset("ac")) is None
    assert cache.find("e", frozenset("abc")) is None


def test_an_empty_core_is_always_within(cache: Cache) -> None:
    cache.store("d", ())
    assert cache.find("d", frozenset()) == frozenset()


def test_several_cores_are_kept_the_smallest_is_returned(cache: Cache) -> None:
    cache.store("d", {"a", "b"})
    cache.store("d", {"c"})
    assert cache.find("d", frozenset("abc")) == frozenset("c")
    assert cache.find("d", frozenset("ab")) == frozenset("ab")
    assert set(cache.near("d")) == {frozenset("ab"), frozenset("c")}


def test_a_core_replaces_its_supersets(cache: Cache) -> None:
    cache.store("d", {"a", "b"})
    cache.store("d", {"a"})
    assert cache.near("d") == (frozenset("a"),)


def test_a_few_cores_are_kept(cache: Cache) -> None:
    for name in "abcdefgh":
        cache.store("d", {name})
    assert len(cache.near("d")) == 4
    assert cache.near("d")[0] == frozenset("h")


def test_other_versions_do_not_see_it(cache: Cache, tmp_path: Path) -> None:
    cache.store("d", {"a"})
    assert Cache(tmp_path / "cache", "1.1").find("d", frozenset("a")) is None


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        "null",
        '{"proved": "d"}',
        '{"proved": "d", "cores": 3}',
        '{"proved": "d", "cores": [3]}',
        '{"proved": "d", "cores": [[3]]}',
        '{"proved": "other", "cores": [["a"]]}',
        "\x00\x01",
    ],
)
def test_a_damaged_entry_is_none(cache: Cache, tmp_path: Path, damage: str) -> None:
    cache.store("d", {"a"})
    (path,) = entries(tmp_path)
    path.write_text(damage, encoding="utf-8")
    assert cache.find("d", frozenset("a")) is None
    cache.store("d", {"a"})
    assert cache.find("d", frozenset("a")) == frozenset("a")


def test_bytes_that_are_no_text(cache: Cache, tmp_path: Path) -> None:
    cache.store("d", {"a"})
    (path,) = entries(tmp_path)
    path.write_bytes(b"\xff\xfe\xff")
    assert cache.find("d", frozenset("a")) is None


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    cache = Cache(tmp_path / "file", "1.0")
    cache.store("d", {"a"})
    assert cache.find("d", frozenset("a")) is None


def test_writers_at_once_leave_whole_entries(cache: Cache, tmp_path: Path) -> None:
    def write(number: int) -> None:
        cache.store("d", {f"h{number % 7}", "shared"})
        cache.find("d", frozenset())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(200)))
    (path,) = entries(tmp_path)
    assert json.loads(path.read_text(encoding="utf-8"))["proved"] == "d"
    assert cache.near("d")


def test_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACCORDANT_CACHE", raising=False)
    assert default_directory() == Path(".accordant/cache")
    monkeypatch.setenv("ACCORDANT_CACHE", "/elsewhere")
    assert default_directory() == Path("/elsewhere")


def test_the_solver_has_a_version() -> None:
    assert solver_version()[0].isdigit()
