"""`accordant build`: a Python module for each spec that is proved."""

from __future__ import annotations

import argparse
from pathlib import Path

from compiler.command.console import progress
from compiler.command.front import Compiled, compile_file
from compiler.diagnostics import Code, Diagnostic, SpecError
from compiler.emit import emit, module_name
from compiler.emit.build import write_modules

DIFFERENT = 1


def run(options: argparse.Namespace) -> int:
    """Prove and write, or with `--check` compare; nothing is written unless all can be."""
    compiled = [compile_file(path) for path in options.files]
    targets = _targets(options, compiled)
    if not options.unproved:
        _refuse_unproved(options, compiled)
    proved = not options.unproved
    texts = {
        target: emit(one.protocol, spec_path=_relative(one, target), proved=proved)
        for target, one in targets.items()
    }
    if options.check:
        stale = [path for path, text in texts.items() if _read(path) != text]
        for path in stale:
            print(f"{path}: not what `accordant build` makes of its spec now")
        return DIFFERENT if stale else 0
    write_modules(texts)
    for path in texts:
        print(f"{path}: written{'' if proved else ', not proved'}")
    return 0


def _targets(options: argparse.Namespace, compiled: list[Compiled]) -> dict[Path, Compiled]:
    targets: dict[Path, Compiled] = {}
    for path, one in zip(options.files, compiled, strict=True):
        target = options.output / f"{module_name(path)}.py"
        if target in targets:
            other = targets[target].source.path
            raise SpecError(
                (
                    Diagnostic(
                        Code.CANNOT_WRITE,
                        f"{other} and {path} would both be built into {target}",
                        one.protocol.span,
                        "rename one of the files, or build them into different directories",
                    ),
                )
            )
        targets[target] = one
    return targets


def _relative(one: Compiled, target: Path) -> str:
    """Return the path of the spec as seen from the module, the same wherever this is run."""
    spec, folder = Path(one.source.path).resolve(), target.parent.resolve()
    up = 0
    while not spec.is_relative_to(folder):
        folder, up = folder.parent, up + 1
    return "/".join([".."] * up + list(spec.relative_to(folder).parts))


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _refuse_unproved(options: argparse.Namespace, compiled: list[Compiled]) -> None:
    """Raise `SpecError` for the specs that are not proved."""
    from compiler.prove.cache import Cache, default_directory
    from compiler.prove.verify import VerifyOptions, verify

    cache = None if options.no_cache else Cache(default_directory())
    refused: list[Diagnostic] = []
    for one in compiled:
        with progress(one.protocol.name) as advance:
            report = verify(
                one.model,
                VerifyOptions(
                    timeout=options.timeout, jobs=options.jobs, cache=cache, search=False
                ),
                advance,
            )
        if report.status != "proved":
            refused.append(
                Diagnostic(
                    Code.UNPROVED,
                    f"`{one.protocol.name}` is not proved ({report.status}), so it is not built",
                    one.protocol.span,
                    f"see `accordant verify {one.source.path}`, or build it with --unproved",
                )
            )
    if refused:
        raise SpecError(tuple(refused))
