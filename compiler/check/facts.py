"""Facts about quorums: the formulas that can be decided over the regions of a Venn diagram.

A fact is universal over quorums, and below that any formula over single nodes: quantifiers
over roles, `in`, equality of nodes, and connectives. Or it is `Q survives e`.
"""

from __future__ import annotations

from compiler.check import arithmetic, checked
from compiler.check.expressions import Expressions
from compiler.check.failure import broken
from compiler.check.mode import Mode
from compiler.check.symbols import Symbols
from compiler.check.types import BOOL, QuorumType, RoleType
from compiler.diagnostics import Code, Span
from compiler.syntax import tree


def fact(symbols: Symbols, body: tree.Expression) -> checked.Expression:
    """Return the body of a fact."""
    if isinstance(body, tree.SurvivesExpression):
        return arithmetic.survives(symbols, body)
    before = len(symbols.diagnostics.items)
    found = Expressions(symbols, symbols.scope(None), Mode.FORMULA, None).check(body, BOOL)
    if len(symbols.diagnostics.items) == before:
        _require_shape(symbols, found, outermost=True)
    return found


def _require_shape(symbols: Symbols, node: checked.Expression, *, outermost: bool) -> None:
    """Report what a fact can't say. `outermost`: quantifiers over quorums may stand here."""
    match node:
        case checked.Quantified(kind=kind, bindings=bindings, body=body):
            for binding in bindings:
                match binding.type:
                    case RoleType():
                        outermost = False
                    case QuorumType() if kind == "forall" and outermost:
                        pass
                    case QuorumType():
                        _bad(
                            symbols,
                            "quorums in a fact are bound by `forall`, before all nodes",
                            binding.span,
                        )
                        return
                    case type_ if broken(type_):
                        return
                    case type_:
                        _bad(
                            symbols,
                            f"a fact speaks of quorums and nodes, not of {type_}",
                            binding.span,
                        )
                        return
            _require_shape(symbols, body, outermost=outermost)
        case checked.QuantifiedIn(domain=domain, body=body):
            if not (isinstance(domain, checked.Local) and isinstance(domain.type, QuorumType)):
                _bad(symbols, "in a fact, nodes are taken from quorums", domain.span)
                return
            _require_shape(symbols, body, outermost=False)
        case checked.Logical(left=left, right=right):
            _require_shape(symbols, left, outermost=False)
            _require_shape(symbols, right, outermost=False)
        case checked.Not(operand=operand):
            _require_shape(symbols, operand, outermost=False)
        case checked.Member(element=checked.Local(), set=checked.Local()) | checked.BoolValue():
            pass
        case checked.Compare(left=checked.Local() as left, right=checked.Local()) if isinstance(
            left.type, RoleType
        ):
            pass
        case _:
            _bad(symbols, "a fact can't say this", node.span)


def _bad(symbols: Symbols, message: str, span: Span) -> None:
    symbols.diagnostics.error(
        Code.BAD_FACT,
        message,
        span,
        "a fact is `forall p, q: Quorum: …` over `node in p`, equality of nodes and quantifiers "
        "over roles, or `Quorum survives n`",
    )
