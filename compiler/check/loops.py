"""Loops: all rounds of a `for` happen at once, so no round may see or undo another's work.

The order in which a set's elements come is not fixed, and in the model there is no order at
all. A body is sound if each of its writes either goes to an entry that belongs to the round
(its keys contain every name of the loop's pattern) or is of a kind that the rounds share
without conflict: all of them add to a set, or all remove from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from compiler.check import checked, walk
from compiler.diagnostics import Code, Diagnostics, Label, Span


@dataclass(frozen=True, slots=True)
class _Write:
    statement: checked.Assign
    own: bool  # to an entry of the round alone

    @property
    def removes(self) -> bool:
        return self.statement.operator in ("remove", "difference")


def check_loops(body: tuple[checked.Statement, ...], diagnostics: Diagnostics) -> None:
    """Report what a `for` in this block can't do."""
    for statement in body:
        if isinstance(statement, checked.For):
            _loop(statement, diagnostics)
        else:
            for block in walk.inner_blocks(statement):
                check_loops(block, diagnostics)


def _loop(loop: checked.For, diagnostics: Diagnostics) -> None:
    names = _names(loop)
    _forbid(loop.body, diagnostics)
    writes = _writes(loop.body, names, diagnostics)
    by_variable: dict[tuple[object, str], list[_Write]] = {}
    for write in writes:
        variable = write.statement.variable
        by_variable.setdefault((variable.role, variable.name), []).append(write)
    for group in by_variable.values():
        _writes_agree(group, diagnostics)
    _no_history(loop, diagnostics)
    reads: list[tuple[checked.Expression, Span]] = []
    for statement in walk.all_statements(loop.body):
        for expression in walk.own_expressions(statement):
            reads += _reads(expression)
    for read, span in reads:
        _read_is_own(read, span, by_variable, diagnostics)


def _no_history(loop: checked.For, diagnostics: Diagnostics) -> None:
    """Report formulas about the history of what the loop itself sends."""
    sent = {
        statement.output.name if isinstance(statement, checked.Emit) else statement.message.name
        for statement in walk.all_statements(loop.body)
        if isinstance(statement, checked.Send | checked.Broadcast | checked.Emit)
    }
    for statement in walk.all_statements(loop.body):
        for expression in walk.own_expressions(statement):
            for part in walk.everything(expression):
                if isinstance(part, checked.Sent) and part.subject.name in sent:
                    _report(
                        diagnostics,
                        f"the rounds of this loop send `{part.subject.name}` themselves",
                        part.span,
                        "all rounds happen at once: look at the history before the loop",
                    )


def _names(loop: checked.For) -> frozenset[int] | None:
    """Return the numbers of the loop's names; None if a part of the element has no name."""
    found: list[int] = []

    def collect(pattern: checked.Pattern) -> bool:
        match pattern:
            case checked.BindPattern(binding=binding):
                found.append(binding.number)
                return True
            case checked.IgnorePattern():
                return False
            case checked.TuplePattern(parts=parts):
                return False not in [collect(part) for part in parts]

    return frozenset(found) if collect(loop.pattern) else None


def _union(left: frozenset[int] | None, right: frozenset[int] | None) -> frozenset[int] | None:
    return None if left is None or right is None else left | right


def _forbid(body: tuple[checked.Statement, ...], diagnostics: Diagnostics) -> None:
    for statement in walk.all_statements(body):
        what = None
        match statement:
            case checked.Become():
                what = "`become`"
            case checked.Require():
                what = "`require`"
            case checked.Assert():
                what = "`assert`"
            case checked.Assume():
                what = "`assume`"
            case checked.PickFrom() | checked.PickAbove():
                what = "`pick`"
            case _:
                pass
        if what is not None:
            _report(diagnostics, f"{what} can't stand in a loop", statement.span, "move it out")
        for expression in walk.own_expressions(statement):
            for part in walk.everything(expression):
                if isinstance(part, checked.AskValue):
                    _report(diagnostics, "`ask` can't stand in a loop", part.span, "move it out")


def _writes(
    body: tuple[checked.Statement, ...], names: frozenset[int] | None, diagnostics: Diagnostics
) -> list[_Write]:
    """Return the assignments in a loop's body; `names` are those of the loops around them."""
    found: list[_Write] = []
    for statement in body:
        match statement:
            case checked.Assign(keys=keys):
                own = names is not None and names <= _key_names(keys)
                found.append(_Write(statement, own))
                if statement.operator == "set" and not own:
                    _report(
                        diagnostics,
                        "the rounds of this loop would overwrite each other's value",
                        statement.span,
                        "all rounds happen at once: assign the entry of a map whose key holds "
                        "the loop's names, or add to a set",
                    )
            case checked.For(body=inner):
                found += _writes(inner, _union(names, _names(statement)), diagnostics)
            case _:
                for block in walk.inner_blocks(statement):
                    found += _writes(block, names, diagnostics)
    return found


def _key_names(keys: tuple[checked.Expression, ...]) -> frozenset[int]:
    """Return the names that are keys, or parts of tuple keys, as they are."""
    found: set[int] = set()
    for key in keys:
        match key:
            case checked.Local(binding=binding):
                found.add(binding.number)
            case checked.TupleValue(parts=parts) | checked.RecordValue(parts=parts):
                found |= _key_names(parts)
            case _:
                pass
    return frozenset(found)


def _writes_agree(writes: list[_Write], diagnostics: Diagnostics) -> None:
    """Report writes of one variable that rounds can't make at once."""
    for first, write in combinations(writes, 2):
        if write.own and first.own and write.statement.keys == first.statement.keys:
            continue
        if (
            write.statement.operator != "set"
            and first.statement.operator != "set"
            and write.removes == first.removes
        ):
            continue
        _report(
            diagnostics,
            f"the rounds of this loop would undo each other's work on "
            f"`{write.statement.variable.name}`",
            write.statement.span,
            "all rounds happen at once: within a loop, change a variable in one way only",
            Label(first.statement.span, "also written here"),
        )
        return


def _reads(expression: checked.Expression) -> list[tuple[checked.Expression, Span]]:
    """Return the outermost reads and lookups of variables in an expression, and where they are.

    What a definition reads is read where the definition is used.
    """
    match expression:
        case checked.Read():
            return [(expression, expression.span)]
        case checked.Lookup(map=map_, key=key):
            inner = _reads(key)
            root: checked.Expression = map_
            while isinstance(root, checked.Lookup):
                inner += _reads(root.key)
                root = root.map
            here: list[tuple[checked.Expression, Span]] = [(expression, expression.span)]
            return here + inner if isinstance(root, checked.Read) else inner
        case checked.CallDefinition(definition=definition, arguments=arguments):
            inner = [read for argument in arguments for read in _reads(argument)]
            return inner + [(read, expression.span) for read, _ in _reads(definition.body)]
        case _:
            return [read for part in walk.parts(expression) for read in _reads(part)]


def _read_is_own(
    read: checked.Expression,
    span: Span,
    writes: dict[tuple[object, str], list[_Write]],
    diagnostics: Diagnostics,
) -> None:
    """Report a read of what another round writes."""
    keys: list[checked.Expression] = []
    root = read
    while isinstance(root, checked.Lookup):
        keys.insert(0, root.key)
        root = root.map
    if not isinstance(root, checked.Read):
        return
    for write in writes.get((root.variable.role, root.variable.name), ()):
        if write.own and write.statement.keys == tuple(keys):
            continue
        _report(
            diagnostics,
            f"a round of this loop would read `{root.variable.name}` while another writes it",
            span,
            "all rounds happen at once: read it before the loop, with `let`",
            Label(write.statement.span, "written here"),
        )
        return


def _report(
    diagnostics: Diagnostics, message: str, span: Span, help_: str, label: Label | None = None
) -> None:
    diagnostics.error(Code.LOOP_DEPENDENCE, message, span, help_, () if label is None else (label,))
