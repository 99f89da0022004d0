"""Checked tree to readable, standalone Python.

`emit` is a function from a checked protocol to the text of a module; docs/generated-code.md says
what such a module looks like and how it is driven. The text is formatted as it is written:
nothing here runs a formatter, reads a file or a clock, or depends on the order of hashes.
"""

from compiler.emit.build import write_module
from compiler.emit.module import emit
from compiler.emit.names import module_name

__all__ = ["emit", "module_name", "write_module"]
