"""Loading a generated module from a file, and checking that it keeps the contract.

Whatever is wrong with the file is raised as `LoadError` with one message a mistake, so that
a command line can print it; nothing else escapes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import cast

from runtime.contract import CLASSES, METHODS, SCALARS, TABLES, Module


class LoadError(Exception):
    """A file is not a generated module; `problems` says why, one sentence each."""

    def __init__(self, path: str, problems: tuple[str, ...]) -> None:
        self.path = path
        self.problems = problems
        super().__init__(f"{path}: " + "; ".join(problems))


def load(path: str | Path) -> Module:
    """Load the module at `path`; `LoadError` if it cannot be, or breaks the contract.

    The same file and content are loaded once a process, so that values of one module are
    equal however often it was asked for.
    """
    file = Path(path)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise LoadError(str(path), (f"cannot be read: {error.strerror}",)) from None
    digest = hashlib.sha256(str(file.resolve()).encode() + b"\0" + content).hexdigest()
    name = f"accordant_generated_{file.stem}_{digest[:16]}"
    loaded = sys.modules.get(name)
    if loaded is None:
        loaded = _execute(name, file)
    problems = conformance(loaded)
    if problems:
        sys.modules.pop(name, None)
        raise LoadError(str(path), problems)
    return cast(Module, loaded)


def _execute(name: str, file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise LoadError(str(file), ("is not a Python file",))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and type hints look their module up by name
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        sys.modules.pop(name, None)
        if not isinstance(error, Exception | SystemExit):
            raise
        raise LoadError(
            str(file), (f"cannot be imported: {type(error).__name__}: {error}",)
        ) from None
    return module


def conformance(module: ModuleType) -> tuple[str, ...]:
    """Return what is missing for `module` to keep the contract; empty if it keeps it."""
    names = vars(module)
    problems = [f"has no `{name}`" for name in (*SCALARS, *CLASSES, *TABLES) if name not in names]
    problems += [
        f"`{name}` is not a table"
        for name in TABLES
        if name in names and not _is_table(names[name])
    ]
    problems += [f"`{name}` is not a class" for name in CLASSES if _not_a_class(names, name)]
    problems += [f"has no `{name}`" for name in ("SINGLE", "NEVER_CRASHES") if name not in names]
    if problems:
        return tuple(problems)
    fields = {field.name for field in dataclasses.fields(names["Cluster"])}
    for role, class_ in names["ROLES"].items():
        missing = [method for method in METHODS if not callable(getattr(class_, method, None))]
        problems += [f"role `{role}` has no method `{method}`" for method in missing]
        if not _is_table(getattr(class_, "VARIABLES", None)):
            problems.append(f"role `{role}` has no table `VARIABLES`")
        if role not in names["CLUSTER_FIELDS"]:
            problems.append(f"`CLUSTER_FIELDS` lacks the role `{role}`")
    problems += [
        f"`Cluster` has no field `{field}`"
        for field in names["CLUSTER_FIELDS"].values()
        if field not in fields
    ]
    return tuple(problems)


def _is_table(value: object) -> bool:
    return hasattr(value, "items") and hasattr(value, "__getitem__")


def _not_a_class(names: dict[str, object], name: str) -> bool:
    return name in names and not isinstance(names[name], type)
