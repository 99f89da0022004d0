"""The text form of a model: what `accordant show --model` prints.

It is complete and deterministic, and made for reading: a formula that fits on a line stays on
it, and parentheses stand only where they are needed. From loosest to tightest: quantifiers
(whose body extends as far as it can), `<->`, `->` (to the right), `|`, `&`, `~`, comparisons.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import assert_never

from compiler.model.system import (
    Action,
    Arithmetic,
    Boolean,
    Choice,
    Comparison,
    Condition,
    Crashed,
    Fact,
    FieldParameters,
    Linear,
    Model,
    Number,
    Possibility,
    Quantity,
    QuorumLayout,
    Received,
    Recovered,
    Requested,
    SortDeclaration,
    Started,
    TimedOut,
    Trigger,
    Update,
)
from compiler.model.term import (
    BOOL,
    TRUE,
    And,
    Apply,
    Element,
    Equal,
    Iff,
    Implies,
    Ite,
    Not,
    Or,
    Quantified,
    Symbol,
    Term,
    Truth,
    Var,
)

WIDTH = 100
"""Lines are broken to be no longer than this where that can be done."""

_QUANTIFIER, _IFF, _IMPLIES, _OR, _AND, _NOT, _COMPARISON, _ATOM = range(8)


def show_term(term: Term, width: int = WIDTH) -> str:
    """Return a term as text, over several lines if it is wider than `width`."""
    return "\n".join(_lines(term, _QUANTIFIER, width))


def show(model: Model) -> str:
    """Return the whole model as text; it ends in a line end."""
    sections = [
        [f"model {model.name}"],
        *_section("sorts", (_sort(d, model.quorums) for d in model.sorts)),
        *_section(
            "assumptions",
            (f"{a.parameter}: {show_condition(a.condition)}" for a in model.assumptions),
        ),
        *_section("facts", (line for fact in model.facts for line in _fact(fact))),
        *_section("rigid symbols", (_symbol(s) for s in model.symbols if not s.mutable)),
        *_section("mutable symbols", (_symbol(s) for s in model.symbols if s.mutable)),
        *_section(
            "axioms",
            (
                line
                for axiom in model.axioms
                for line in _named(f"{axiom.origin} {axiom.name}:", axiom.formula, 4)
            ),
        ),
        *_section("initially", (line for u in model.initial for line in _update(u, 4))),
        *(list(_action(action)) for action in model.actions),
        *(list(_named(f"{p.kind} {p.name}:", p.formula, 0)) for p in model.properties),
        *(list(_named(f"possible {_possible(p)}:", p.formula, 0)) for p in model.possibilities),
    ]
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _possible(possibility: Possibility) -> str:
    without = ", ".join(possibility.without)
    return f"{possibility.name} without {without}" if without else possibility.name


def _section(title: str, lines: Iterable[str]) -> list[list[str]]:
    indented = [f"    {line}" for line in lines]
    return [[title, *indented]] if indented else []


# --- terms -----------------------------------------------------------------------------------


def _strength(term: Term) -> int:
    """Return how tightly the outermost operator binds."""
    match term:
        case Quantified():
            return _QUANTIFIER
        case Iff():
            return _IFF
        case Implies():
            return _IMPLIES
        case Or():
            return _OR
        case And():
            return _AND
        case Not(operand=Equal()):
            return _COMPARISON
        case Not():
            return _NOT
        case Equal():
            return _COMPARISON
        case Apply(symbol=symbol):
            return _COMPARISON if _infix(symbol) else _ATOM
        case Var() | Truth() | Element() | Ite():
            return _ATOM
    assert_never(term)


def _infix(symbol: Symbol) -> str | None:
    """Return the operator by which an order, or membership of a quorum or set, is written."""
    if symbol.mutable or symbol.result != BOOL or len(symbol.arguments) < 2:
        return None
    left, right = symbol.arguments[0], symbol.arguments[-1]
    if left == right and symbol.name == f"{left}.<":
        return "<"
    # A role may have a constant `member` of its own, whose first column is the role.
    if left != right and symbol.name == f"{right}.member":
        return "in"
    return None


def _flat(term: Term, least: int) -> str:
    """Return a term on one line, in parentheses if it binds less tightly than `least`."""
    text = _flat_open(term)
    return f"({text})" if _strength(term) < least else text


def _flat_open(term: Term) -> str:
    match term:
        case Var(name=name) | Element(name=name):
            return name
        case Truth(value=value):
            return "true" if value else "false"
        case Apply(symbol=symbol, arguments=arguments):
            infix = _infix(symbol)
            if infix is not None:
                element, container = arguments[:-1], _flat(arguments[-1], _ATOM)
                if len(element) == 1:
                    return f"{_flat(element[0], _ATOM)} {infix} {container}"
                columns = ", ".join(_flat(a, _QUANTIFIER) for a in element)
                return f"({columns}) {infix} {container}"
            if not arguments:
                return symbol.name
            return f"{symbol}({', '.join(_flat(a, _QUANTIFIER) for a in arguments)})"
        case Equal(left=left, right=right):
            return f"{_flat(left, _ATOM)} = {_flat(right, _ATOM)}"
        case Not(operand=Equal(left=left, right=right)):
            return f"{_flat(left, _ATOM)} != {_flat(right, _ATOM)}"
        case Not(operand=operand):
            return "~" + _flat(operand, _negated(operand))
        case Ite(condition=condition, then=then, otherwise=otherwise):
            arguments = (condition, then, otherwise)
            return f"ite({', '.join(_flat(argument, _QUANTIFIER) for argument in arguments)})"
        case Quantified(body=body):
            return f"{_head(term)} {_flat(body, _QUANTIFIER)}"
        case And() | Or() | Implies() | Iff():
            operator, parts = _operands(term)
            return f" {operator} ".join(_flat(part, least) for part, least in parts)
    assert_never(term)


def _negated(operand: Term) -> int:
    # `~a < b` would be read as `(~a) < b`.
    return _ATOM if _strength(operand) == _COMPARISON else _NOT


def _head(term: Quantified) -> str:
    variables = ", ".join(f"{v.name}: {v.sort}" for v in term.variables)
    return f"{term.kind} {variables}."


def _operands(term: And | Or | Implies | Iff) -> tuple[str, list[tuple[Term, int]]]:
    """Return the operator, and the operands each with how tightly it must bind."""
    match term:
        case And(operands=operands):
            return "&", [(operand, _NOT) for operand in operands]
        case Or(operands=operands):
            return "|", [(operand, _AND) for operand in operands]
        case Implies(left=left, right=right):
            # A quantifier on the right needs no parentheses: an implication that something
            # could follow stands in parentheses itself.
            least = _QUANTIFIER if isinstance(right, Quantified) else _IMPLIES
            return "->", [(left, _OR), (right, least)]
        case Iff(left=left, right=right):
            return "<->", [(left, _OR), (right, _OR)]
    assert_never(term)


def _lines(term: Term, least: int, width: int) -> list[str]:
    flat = _flat(term, least)
    if len(flat) <= width:
        return [flat]
    if _strength(term) < least:
        inner = _prefixed("(", _lines(term, _QUANTIFIER, width - 2))
        inner[-1] += ")"
        return inner
    match term:
        case Quantified(body=body):
            return [_head(term), *_indented(_lines(body, _QUANTIFIER, width - 4))]
        case Not(operand=operand) if not isinstance(operand, Equal):
            return _prefixed("~", _lines(operand, _negated(operand), width - 1))
        case And() | Or() | Implies() | Iff():
            operator, parts = _operands(term)
            margin = len(operator) + 1
            lines: list[str] = []
            for i, (part, strength) in enumerate(parts):
                prefix = f"{operator} " if i else " " * margin
                lines.extend(_prefixed(prefix, _lines(part, strength, width - margin)))
            return lines
        case Ite(condition=condition, then=then, otherwise=otherwise):
            return _call("ite", (condition, then, otherwise), width)
        case Apply(symbol=symbol, arguments=arguments) if arguments and not _infix(symbol):
            return _call(symbol.name, arguments, width)
        case _:
            return [flat]


def _call(name: str, arguments: Sequence[Term], width: int) -> list[str]:
    lines = [f"{name}("]
    for i, argument in enumerate(arguments):
        inner = _indented(_lines(argument, _QUANTIFIER, width - 5))
        inner[-1] += "," if i < len(arguments) - 1 else ")"
        lines.extend(inner)
    return lines


def _prefixed(prefix: str, lines: list[str]) -> list[str]:
    margin = " " * len(prefix)
    return [(margin if i else prefix) + line for i, line in enumerate(lines)]


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _named(name: str, term: Term, margin: int) -> Iterator[str]:
    """Yield `name term`, the term on lines below if it does not fit; `margin` is outside."""
    flat = f"{name} {_flat(term, _QUANTIFIER)}"
    if len(flat) <= WIDTH - margin:
        yield flat
    else:
        yield name
        yield from _indented(_lines(term, _QUANTIFIER, WIDTH - margin - 4))


# --- declarations ----------------------------------------------------------------------------


def _sort(declaration: SortDeclaration, quorums: Sequence[QuorumLayout]) -> str:
    sort = declaration.sort
    match declaration.kind:
        case "role":
            return f"role {sort}" + (" single" if declaration.the is not None else "")
        case "opaque":
            return f"opaque {sort}"
        case "ordered":
            if declaration.next is not None:
                return f"counter {sort}"
            owner = declaration.owner
            return f"ordered {sort}" + (f" owned by {owner.result}" if owner is not None else "")
        case "enum":
            return f"enum {sort}: {', '.join(declaration.elements)}"
        case "quorum":
            for quorum in quorums:
                if quorum.sort == sort:
                    return f"quorum {sort} of {quorum.role}: {show_condition(quorum.threshold)}"
            return f"quorum {sort}"
        case "set":
            return str(sort)
    assert_never(declaration.kind)


def _symbol(symbol: Symbol) -> str:
    arguments = ", ".join(str(sort) for sort in symbol.arguments)
    if symbol.result != BOOL:
        if not symbol.arguments:
            return f"constant {symbol}: {symbol.result}"
        return f"function {symbol}: {arguments} -> {symbol.result}"
    if symbol.unique:
        split = len(symbol.arguments) - symbol.unique
        given = ", ".join(str(sort) for sort in symbol.arguments[:split])
        content = ", ".join(str(sort) for sort in symbol.arguments[split:])
        return (
            f"partial function {symbol}: {given} -> {content}"
            if given
            else (f"partial constant {symbol}: {content}")
        )
    return f"relation {symbol}: {arguments}" if arguments else f"relation {symbol}"


def _fact(fact: Fact) -> Iterator[str]:
    if fact.formula is not None:
        yield from _named(f"{fact.name}:", fact.formula, 4)
    elif fact.crashes is not None:
        crashes = show_linear(fact.crashes)
        yield f"{fact.name}: a {fact.quorum} survives {crashes} crashes"


def _update(update: Update, margin: int) -> Iterator[str]:
    formals = ", ".join(formal.name for formal in update.formals)
    place = f"{update.symbol}({formals})" if formals else update.symbol.name
    yield from _named(f"{place} :=", update.value, margin)


def _action(action: Action) -> Iterator[str]:
    parameters = ", ".join(f"{v.name}: {v.sort}" for v in action.parameters)
    head = f"action {action.name}({parameters})"
    if len(head) <= WIDTH:
        yield head
    else:
        yield f"action {action.name}("
        for parameter in action.parameters:
            yield f"    {parameter.name}: {parameter.sort},"
        yield ")"
    trigger = f"{action.role} {action.node.name}: {_trigger(action.trigger)}"
    if isinstance(action.trigger, Received):
        origin = f"from {action.trigger.sender.name}: {action.trigger.sender.sort}"
        if len(trigger) + len(origin) + 5 > WIDTH:
            yield f"    {trigger}"
            yield f"        {origin}"
        else:
            yield f"    {trigger} {origin}"
    else:
        yield f"    {trigger}"
    for choice in action.choices:
        yield f"    {_choice(choice)}"
    for content in action.contents:
        names = ", ".join(variable.name for variable in content.variables)
        yield from _indented(_named(f"content {names}:", content.formula, 4))
    yield from _indented(_named("guard", action.guard, 4))
    if action.assumption != TRUE:
        yield from _indented(_named("assumption", action.assumption, 4))
    if action.sets != TRUE:
        yield from _indented(_named("sets", action.sets, 4))
    for update in action.updates:
        yield from _indented(_update(update, 4))
    for assertion in action.assertions:
        yield from _indented(_named(f"{assertion.name}:", assertion.formula, 4))


def _choice(choice: Choice) -> str:
    names = ", ".join(variable.name for variable in choice.variables)
    return f"{choice.kind} {choice.name}: {names}"


def _trigger(trigger: Trigger) -> str:
    match trigger:
        case Received(message=message, fields=fields):
            return f"received {message}({_fields(fields)})"
        case Requested(request=request, fields=fields):
            return f"requested {request}({_fields(fields)})"
        case TimedOut(timer=timer, fields=fields):
            return f"timed out {timer}({_fields(fields)})"
        case Started():
            return "started"
        case Recovered():
            return "recovered"
        case Crashed(stops=stops):
            return "stopped" if stops else "crashed"
    assert_never(trigger)


def _fields(fields: Sequence[FieldParameters]) -> str:
    return ", ".join(_field(parameters) for parameters in fields)


def _field(parameters: FieldParameters) -> str:
    names = ", ".join(variable.name for variable in parameters.variables)
    text = names if len(parameters.variables) == 1 else f"({names})"
    return text if parameters.present is None else f"{text} if {parameters.present.name}"


# --- arithmetic ------------------------------------------------------------------------------


def show_condition(condition: Condition) -> str:
    """Return a threshold or assumption as text."""
    match condition:
        case Comparison(operator=operator, left=left, right=right):
            return f"{show_linear(left)} {operator} {show_linear(right)}"
        case Boolean(operator="true"):
            return "true"
        case Boolean(operator="not", operands=operands):
            return f"not ({show_condition(operands[0])})"
        case Boolean(operator=operator, operands=operands):
            return f" {operator} ".join(
                f"({show_condition(operand)})"
                if isinstance(operand, Boolean) and operand.operator in ("and", "or")
                else show_condition(operand)
                for operand in operands
            )
    assert_never(condition)


def show_linear(term: Linear) -> str:
    """Return a linear term as text."""
    match term:
        case Number(value=value):
            return str(value)
        case Quantity(kind=kind, name=name):
            match kind:
                case "size":
                    return "size"
                case "total":
                    return f"total {name}"
                case "parameter":
                    return name
            assert_never(kind)
        case Arithmetic(operator=operator, left=left, right=right):
            return f"{_side(left, operator, False)} {operator} {_side(right, operator, True)}"
    assert_never(term)


def _side(term: Linear, operator: str, right: bool) -> str:
    text = show_linear(term)
    if not isinstance(term, Arithmetic):
        return text
    tight, inner = operator in ("*", "//"), term.operator in ("*", "//")
    needed = (tight and not inner) or (right and tight == inner)
    return f"({text})" if needed else text
