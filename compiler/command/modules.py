"""The generated module of a protocol, in memory: to run what was just compiled."""

from __future__ import annotations

import tempfile
from pathlib import Path

from compiler.check import checked
from compiler.emit import emit
from runtime.contract import Module
from runtime.load import load


def module_of(protocol: checked.Protocol) -> Module:
    """Emit the protocol and load it; nothing is left on disk."""
    text = emit(protocol, spec_path=Path(protocol.source.path).name, proved=False)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "module.py"
        path.write_text(text)
        return load(path)
