"""Decide first, then act: on every path `require`, `pick` and `ask` precede the first effect.

So a handler that turns out not to be enabled, or that has to wait for the application's answer,
has changed nothing yet, and generated code never undoes anything.
"""

from __future__ import annotations

from typing import assert_never

from compiler.check import checked, walk
from compiler.diagnostics import Code, Diagnostics, Label, Span


def check_choices(
    guard: checked.Expression | None,
    body: tuple[checked.Statement, ...],
    diagnostics: Diagnostics,
) -> None:
    """Report choices after an effect, and questions asked twice in one handler."""
    _block(body, None, diagnostics)
    first: dict[str, Span] = {}
    expressions = [] if guard is None else [guard]
    for statement in walk.all_statements(body):
        expressions += walk.own_expressions(statement)
    for expression in expressions:
        for part in walk.everything(expression):
            if isinstance(part, checked.AskValue):
                if part.question.name in first:
                    diagnostics.error(
                        Code.DUPLICATE_CHOICE,
                        f"`{part.question.name}` is asked a second time in this handler",
                        part.span,
                        f"ask once, `let answer = ask {part.question.name}(…)`, and use the answer",
                        (Label(first[part.question.name], "asked first here"),),
                    )
                first.setdefault(part.question.name, part.span)


def _block(
    body: tuple[checked.Statement, ...], effect: Span | None, diagnostics: Diagnostics
) -> Span | None:
    """Check a block; `effect` is an effect before it. Return an effect before its end."""
    for statement in body:
        if effect is not None:
            for choice, what in _choices(statement):
                diagnostics.error(
                    Code.CHOICE_AFTER_EFFECT,
                    f"{what} comes after something has been done",
                    choice,
                    "decide first, then act: move it above the first assignment or sending",
                    (Label(effect, "this has an effect"),),
                )
        blocks = walk.inner_blocks(statement)
        if blocks:
            after = [_block(block, effect, diagnostics) for block in blocks]
            effect = effect or next((span for span in after if span is not None), None)
        elif effect is None and _acts(statement):
            effect = statement.span
    return effect


def _choices(statement: checked.Statement) -> list[tuple[Span, str]]:
    """Return the choices that a statement makes itself, and what they are."""
    found: list[tuple[Span, str]] = []
    match statement:
        case checked.Require():
            found.append((statement.span, "`require`"))
        case checked.Assume():
            found.append((statement.span, "`assume`"))
        case checked.PickFrom() | checked.PickAbove():
            found.append((statement.span, "`pick`"))
        case _:
            pass
    for expression in walk.own_expressions(statement):
        for part in walk.everything(expression):
            if isinstance(part, checked.AskValue):
                found.append((part.span, "`ask`"))
    return found


def _acts(statement: checked.Statement) -> bool:
    match statement:
        case (
            checked.Assign()
            | checked.Send()
            | checked.Broadcast()
            | checked.Become()
            | checked.Emit()
            | checked.Arm()
            | checked.Disarm()
        ):
            return True
        case (
            checked.If()
            | checked.Let()
            | checked.For()
            | checked.PickFrom()
            | checked.PickAbove()
            | checked.Require()
            | checked.Assert()
            | checked.Assume()
        ):
            return False
        case _:
            assert_never(statement)
