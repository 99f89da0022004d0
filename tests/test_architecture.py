"""The shape of the house: who may import whom, how large a module may grow, what no file says."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MAY_IMPORT = {
    "compiler.diagnostics": (),
    "compiler.syntax": ("compiler.diagnostics",),
    "compiler.check": ("compiler.diagnostics", "compiler.syntax"),
    "compiler.model": ("compiler.diagnostics", "compiler.syntax", "compiler.check"),
    "compiler.prove": (
        "compiler.diagnostics",
        "compiler.syntax",
        "compiler.check",
        "compiler.model",
    ),
    "compiler.emit": (
        "compiler.diagnostics",
        "compiler.syntax",
        "compiler.check",
        "compiler.model",
    ),
    "compiler.command": ("compiler", "runtime"),
    "compiler": ("compiler.command",),
    "runtime.checking": ("runtime", "compiler.model"),
    "runtime.wire": ("runtime",),
    "runtime.storage": ("runtime",),
    "runtime.history": (),
    "runtime.host": ("runtime.wire", "runtime.storage", "runtime"),
    "runtime.kv": ("runtime.host", "runtime"),
    "runtime.cluster": ("runtime.kv", "runtime.history", "runtime.host", "runtime"),
    "runtime": ("runtime",),
    "generated": (),
}
"""What each room may import of the house, besides itself."""

LAYERS = (
    "runtime.wire",
    "runtime.storage",
    "runtime.host",
    "runtime.history",
    "runtime.kv",
    "runtime.cluster",
)
"""Rooms of the runtime, the lower first: what lies in `runtime` itself may import none of them, and
each of them none that comes after it."""

LIBRARIES = {
    "lark": ("compiler.syntax",),
    "z3": ("compiler.prove",),
    "pysat": ("compiler.prove",),
    "cryptography": ("runtime.host",),
    "redis": ("runtime.cluster",),
}
"""The libraries that one room alone may know."""

MODULES = sorted(
    path.relative_to(ROOT)
    for package in ("compiler", "runtime", "generated")
    for path in (ROOT / package).rglob("*.py")
)
LONGEST = 700


def dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def room(name: str) -> str:
    """Return the innermost room that a module of the house lies in."""
    return max((r for r in MAY_IMPORT if within(name, r)), key=len)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the full name of everything that a file imports, wherever it does."""
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            assert node.module is not None
            yield node.lineno, node.module


def test_every_module_lies_in_a_room() -> None:
    assert MODULES
    assert {room(dotted(path)) for path in MODULES} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_arrows_run_one_way(path: Path) -> None:
    own = room(dotted(path))
    wrong = [
        f"{path}:{line} imports {name}"
        for line, name in imports(path)
        if any(within(name, house) for house in ("compiler", "runtime", "generated", "tests"))
        if not any(within(name, allowed) for allowed in (own, *MAY_IMPORT[own]))
    ]
    assert wrong == []


def layer(name: str) -> int:
    return max((i for i, room in enumerate(LAYERS) if within(name, room)), default=-1)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_the_runtime_lies_in_layers(path: Path) -> None:
    own = dotted(path)
    if within(own, "runtime"):
        upward = [
            f"{path}:{line} imports {name}"
            for line, name in imports(path)
            if layer(name) > layer(own)
        ]
        assert upward == []


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_libraries_keep_to_their_rooms(path: Path) -> None:
    wrong = [
        f"{path}:{line} imports {name}"
        for line, name in imports(path)
        for library, rooms in LIBRARIES.items()
        if within(name, library) and room(dotted(path)) not in rooms
    ]
    assert wrong == []


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_generated_code_needs_the_standard_library_alone(path: Path) -> None:
    if path.parts[0] == "generated":
        assert {name.split(".")[0] for _, name in imports(path)} <= {
            "__future__",
            "collections",
            "dataclasses",
            "enum",
            "typing",
        }


# --- every file ------------------------------------------------------------------------------


def tracked() -> list[Path]:
    """Return the files under version control; where there is none, those a checkout has."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return [ROOT / path for path in MODULES]
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


PYTHON = [path for path in tracked() if path.suffix == ".py"]


def test_no_module_is_too_long() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in PYTHON
        if (lines := len(path.read_text("utf-8").splitlines())) > LONGEST
        # A tree is one closed set of classes: to divide it would hide that it is one.
        if path.relative_to(ROOT) != Path("compiler/check/checked.py")
        if path.relative_to(ROOT) != Path("compiler/syntax/tree.py")
        if not path.is_relative_to(ROOT / "generated")
    }
    assert long == {}


def test_every_module_has_a_docstring() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in PYTHON
        if ast.get_docstring(ast.parse(path.read_text("utf-8"))) is None
    ]
    assert silent == []


FOREIGN = re.compile(
    r"(?<![\w.])/(?:work|root|tmp/venv|home/\w+|Users/\w+)(?:/|\b)"
    r"|https?://[^\s/]*(?:pypi|pythonhosted|npmjs|crates\.io|proxy|mirror)[^\s]*"
    r"|--index-url|--extra-index-url|--trusted-host"
)
"""A place on one developer's machine, or where to get packages from: neither is the project's."""


def test_no_file_speaks_of_the_machine_it_was_written_on() -> None:
    found = []
    for path in tracked():
        if path == Path(__file__):
            continue
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if FOREIGN.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []
