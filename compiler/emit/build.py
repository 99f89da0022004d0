"""Writing generated modules to their files: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from compiler.diagnostics import Code, Diagnostic, Source, Span, SpecError


def write_module(text: str, path: str | Path) -> None:
    """Write one module; see `write_modules`."""
    write_modules({Path(path): text})


def write_modules(texts: Mapping[Path, str]) -> None:
    """Write each text to its path in UTF-8, and its directory if there is none.

    Each file is written beside its place under another name, and when that has gone well for
    all they are renamed, so that whoever reads a path finds the old module or the new one, and
    a module that can't be written leaves the others as they were. Raises `SpecError`
    (CANNOT_WRITE).
    """
    with ExitStack() as drafts:
        written = {path: _draft(path, text.encode(), drafts) for path, text in texts.items()}
        for path, draft in written.items():
            try:
                os.replace(draft, path)
            except OSError as error:
                raise _cannot_write(path, error) from error


def _draft(path: Path, content: bytes, drafts: ExitStack) -> str:
    """Write a file that can become `path`; return its name. `drafts` removes it if it is left."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(None, "it is a directory")
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        drafts.callback(_remove, draft)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A temporary file is private to its owner; a module is as readable as any new file.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(draft, 0o666 & ~mask)
    except OSError as error:
        raise _cannot_write(path, error) from error
    return draft


def _remove(draft: str) -> None:
    with suppress(OSError):
        os.unlink(draft)


def _cannot_write(path: Path, error: OSError) -> SpecError:
    reason = error.strerror or str(error)
    message = f"the generated module can't be written: {reason[:1].lower()}{reason[1:]}"
    span = Span(Source(str(path), ""), 1, 1, 1, 1)
    return SpecError((Diagnostic(Code.CANNOT_WRITE, message, span),))
