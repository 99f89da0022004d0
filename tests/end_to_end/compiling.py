"""From the text of a spec to everything that is made of it."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.check import check, checked
from compiler.command.modules import module_of
from compiler.diagnostics import Diagnostics, Source, SpecError
from compiler.model.lower import lower
from compiler.model.system import Model
from compiler.model.validate import validate
from compiler.syntax import parse
from runtime.contract import Module


@dataclass(frozen=True)
class Built:
    """A spec, its model, and its module in memory."""

    text: str
    protocol: checked.Protocol
    model: Model

    def module(self) -> Module:
        return module_of(self.protocol)


def build(text: str, name: str = "random.accord") -> Built | None:
    """Return what the text is compiled to; None if the checker has something against it."""
    source = Source(name, text)
    diagnostics = Diagnostics()
    tree = parse(source, diagnostics)
    try:
        diagnostics.raise_errors()
        assert tree is not None
        protocol = check(tree, source, diagnostics)
        diagnostics.raise_errors()
        assert protocol is not None
        model = lower(protocol)
    except SpecError:
        return None
    assert not validate(model), validate(model)
    return Built(text, protocol, model)
