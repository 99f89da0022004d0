"""Where `i.next` and `i.previous` may stand.

In a handler a neighbour is computed, so it may stand wherever a value may. In a formula it is a
relation between two values, `j = i.next`: a term for it would be a function from a type to itself,
with which a solver can build new values without end. So elsewhere, and under quantifiers, where
the value depends on a bound name, it is one side of `=` or `!=`.
"""

from __future__ import annotations

from compiler.check import checked, walk
from compiler.diagnostics import Code, Diagnostics


def check_handler_counting(
    guard: checked.Expression | None,
    body: tuple[checked.Statement, ...],
    diagnostics: Diagnostics,
) -> None:
    """Report the neighbours that a handler can't compute."""
    if guard is not None:
        _visit(guard, True, diagnostics)
    for statement in walk.all_statements(body):
        for expression in walk.own_expressions(statement):
            _visit(expression, True, diagnostics)


def check_formula_counting(formula: checked.Expression, diagnostics: Diagnostics) -> None:
    """Report the neighbours in a property, definition or initial value that are no relation."""
    _visit(formula, False, diagnostics)


def _visit(node: checked.Expression, computed: bool, diagnostics: Diagnostics) -> None:
    """Visit an expression; `computed`: a neighbour may stand here as a value."""
    match node:
        case checked.Compare(operator="=" | "!=", left=checked.Neighbour() as left, right=right):
            _visit(left.subject, computed, diagnostics)
            _visit(right, computed, diagnostics)
        case checked.Compare(operator="=" | "!=", left=left, right=checked.Neighbour() as right):
            _visit(left, computed, diagnostics)
            _visit(right.subject, computed, diagnostics)
        case checked.Quantified() | checked.QuantifiedIn() | checked.Comprehension():
            for part in walk.parts(node):
                _visit(part, False, diagnostics)
        case checked.Neighbour(direction=direction) if not computed:
            diagnostics.error(
                Code.NEIGHBOUR_IN_FORMULA,
                f"`.{direction}` stands here only as one side of `=` or `!=`",
                node.span,
                f"name the value: `forall j: {node.type}: j = i.{direction} implies …`, or "
                f"`exists j: {node.type}: j = i.{direction} and …`; in a handler, "
                f"`let j = i.{direction}`",
            )
        case _:
            for part in walk.parts(node):
                _visit(part, computed, diagnostics)
