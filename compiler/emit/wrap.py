"""Statements of Python on as many lines as they need, laid out as `ruff format` lays them out.

The rest of this room writes each statement on one line. What is too long comes here, is read
with `ast`, and is printed again with breaks where the formatter would put them: inside
brackets, or before operators inside parentheses added for the purpose. Only the forms that
generated code uses are known (docs/generated-code.md lists them).

Building does not run the formatter; a test holds the two against each other.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from compiler.emit.document import (
    INDENT,
    LINE,
    SOFT,
    Break,
    Concat,
    Doc,
    Frame,
    Framed,
    Group,
    IfBreaks,
    Indent,
    MayBreak,
    concat,
    join,
    render,
)
from compiler.emit.strength import COMPARISONS, OPERATORS, Strength, strength
from compiler.emit.text import WIDTH, width


def wrap(statement: str, indent: int) -> list[str]:
    """Return the lines of `statement`, written on one line without its body, at `indent`."""
    if indent + width(statement) <= WIDTH or statement.startswith(("#", '"')):
        return [" " * indent + statement]
    return render(_Statement(statement, indent).document(), indent)


Chain = list["ast.expr | tuple[str, Strength]"]
"""Operands and the operators between them, with nested operations laid flat."""


@dataclass(frozen=True, slots=True)
class _Level:
    """What surrounds an expression: brackets, optional parentheses (`frame`), or neither."""

    inside: bool = False
    frame: Frame | None = None

    def line(self) -> Doc:
        """Return a break before an operator, where brackets make it possible."""
        if self.inside:
            return LINE
        return " " if self.frame is None else IfBreaks(LINE, " ", self.frame)

    def group(self, content: Doc) -> Doc:
        """Return a group, if there can be breaks in it."""
        return Group(content) if self.inside or self.frame is not None else content


_INSIDE = _Level(inside=True)


class _Statement:
    """One statement and its text, which tells whether parentheses were written."""

    def __init__(self, text: str, indent: int) -> None:
        self.text = text
        self.indent = indent
        self.source = text.replace("elif ", "if ", 1) if text.startswith("elif ") else text
        if text.endswith(":"):
            self.source += " pass"
        (self.node,) = ast.parse(self.source).body

    def document(self) -> Doc:
        """Return the document of the statement."""
        match self.node:
            case ast.If(test=test):
                keyword = "elif" if self.text.startswith("elif ") else "if"
                return concat(f"{keyword} ", self.optional(test), ":")
            case ast.For(target=target, iter=domain):
                return concat("for ", self.flat(target), " in ", self.optional(domain), ":")
            case ast.Return(value=ast.expr() as value):
                return concat("return ", self.optional(value))
            case ast.Assert(test=test):
                return concat("assert ", self.optional(test))
            case ast.Raise(exc=ast.expr() as error):
                return concat("raise ", self.optional(error))
            case ast.Expr(value=value):
                return self.optional(value)
            case ast.Assign(targets=[ast.Subscript() as target], value=value):
                return concat(self.expression(target, _Level()), " = ", self.optional(value))
            case ast.Assign(targets=[target], value=value):
                return concat(self.flat(target), " = ", self.optional(value))
            case ast.AugAssign(target=target, op=operator, value=value):
                sign = OPERATORS[type(operator)][0]
                return concat(self.flat(target), f" {sign}= ", self.optional(value))
            case ast.AnnAssign(target=target, annotation=annotation, value=value):
                if value is None:
                    return concat(self.flat(target), ": ", self.optional(annotation))
                type_ = self.expression(annotation, _Level())
                return concat(self.flat(target), ": ", type_, " = ", self.optional(value))
            case ast.FunctionDef():
                return self.signature(self.node)
            case _:
                return self.text

    def flat(self, node: ast.expr) -> str:
        """Return the text of `node` as it was written."""
        return ast.get_source_segment(self.source, node) or ""

    def signature(self, node: ast.FunctionDef) -> Doc:
        """Return the first line of a function."""
        parameters: list[Doc] = []
        arguments = node.args
        defaults: list[ast.expr | None] = [None] * (len(arguments.args) - len(arguments.defaults))
        for argument, default in zip(arguments.args, [*defaults, *arguments.defaults], strict=True):
            parameters.append(self.parameter(argument, default))
        if arguments.kwonlyargs:
            parameters.append("*")
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            parameters.append(self.parameter(argument, default))
        returns = "" if node.returns is None else f" -> {self.flat(node.returns)}"
        separated = _separated(parameters, _TRAILING_COMMA)
        inner = Group(separated) if len(parameters) > 1 else separated
        return concat(f"def {node.name}", _brackets("(", inner, ")", _Level()), f"{returns}:")

    def parameter(self, argument: ast.arg, default: ast.expr | None) -> Doc:
        """Return a parameter with its annotation and default."""
        text = ast.get_source_segment(self.source, argument) or ""
        return text if default is None else concat(f"{text} = ", self.expression(default, _INSIDE))

    # --- expressions where parentheses may be added ---

    def optional(self, node: ast.expr) -> Doc:
        """Return an expression that gets parentheses if it does not fit without."""
        match node:
            case ast.Name() | ast.Attribute() | ast.Constant():
                text = self.flat(node)
                if self.indent + INDENT + width(text) > WIDTH:
                    return text
                return _optional_parentheses(Frame(), text)
            case ast.Call(func=function) if (
                self.indent + INDENT + width(self.flat(function)) >= WIDTH
            ):
                return self.expression(node, _Level())
            case ast.BoolOp() | ast.Compare() | ast.BinOp() | ast.UnaryOp() | ast.Call():
                frame = Frame()
                alone = self.breaks_by_itself(node)
                level = _Level(frame=frame) if alone else _INSIDE
                return _optional_parentheses(frame, self.expression(node, level))
            case _:
                return self.expression(node, _Level())

    def breaks_by_itself(self, node: ast.expr) -> bool:
        """Whether an operation reads well broken inside the brackets of an operand.

        So it is if there is one operator of the weakest kind, and the operation ends with the
        brackets of a call or display, or begins with those of a display.
        """
        counts: dict[Strength, int] = {}
        bracketed = False
        leaves: list[ast.expr | None] = []
        pending: list[ast.expr] = [node]
        while pending:
            current = pending.pop()
            if current is not node and self.parenthesized(current):
                bracketed = True
                leaves.append(current)
                continue
            match current:
                case ast.BoolOp(values=values):
                    counts[Strength.OR] = counts.get(Strength.OR, 0) + len(values) - 1
                    pending.extend(reversed(values))
                case ast.Compare(left=left, comparators=comparators):
                    counts[Strength.COMPARE] = counts.get(Strength.COMPARE, 0) + len(comparators)
                    pending.extend(reversed([left, *comparators]))
                case ast.BinOp(left=left, op=operator, right=right):
                    kind = OPERATORS[type(operator)][1]
                    counts[kind] = counts.get(kind, 0) + 1
                    pending.extend([right, left])
                case ast.UnaryOp(operand=operand):
                    leaves.append(None)
                    pending.append(operand)
                case ast.Call() | ast.Subscript():
                    bracketed = True
                    leaves.append(current)
                case ast.Tuple() | ast.List() | ast.Set() | ast.Dict() | ast.ListComp():
                    bracketed = True
                    leaves.append(current)
                case _:
                    leaves.append(current)
        if not bracketed:
            return False
        if counts and counts[min(counts)] > 1:
            return False
        if not counts:
            return True
        first = None if isinstance(leaves[0], ast.Call) else leaves[0]
        return self.has_brackets(leaves[-1]) or self.has_brackets(first)

    def has_brackets(self, node: ast.expr | None) -> bool:
        """Whether `node` has brackets with something in them that may be broken."""
        match node:
            case None | ast.Subscript():
                return False
            case ast.Call(args=arguments, keywords=keywords):
                return bool(arguments or keywords)
            case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
                return bool(elements)
            case ast.ListComp():
                return True
            case _:
                return self.parenthesized(node)

    def parenthesized(self, node: ast.expr) -> bool:
        """Whether an operand stands in parentheses: only those weaker than their place do."""
        start = node.col_offset
        source = self.source.encode()
        before = source[:start].rstrip()
        return (
            strength(node) < Strength.ATOM
            and before.endswith(b"(")
            and source[node.end_col_offset :].lstrip().startswith(b")")
            and not (before[:-1].endswith((b"_", b"]")) or before[-2:-1].isalnum())
        )

    # --- expressions ---

    def expression(self, node: ast.expr, level: _Level) -> Doc:
        """Return an expression as it stands at `level`."""
        match node:
            case ast.BoolOp() | ast.Compare() | ast.BinOp():
                return level.group(self.chain(self.flattened(node, []), level))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return concat("not ", self.operand(operand, level))
            case ast.UnaryOp(operand=operand):
                return concat("-", self.operand(operand, level))
            case ast.NamedExpr(target=target, value=value):
                name = level.group(concat(self.flat(target), level.line(), ":="))
                return concat(name, " ", self.expression(value, level))
            case ast.Call(func=function, args=arguments, keywords=keywords):
                return concat(
                    self.expression(function, level), self.arguments(arguments, keywords, level)
                )
            case ast.Attribute(value=value, attr=attribute):
                return concat(self.operand(value, level), f".{attribute}")
            case ast.Subscript(value=value, slice=index):
                return concat(self.expression(value, level), self.index(index, level))
            case ast.Starred(value=value):
                return concat("*", self.expression(value, level))
            case ast.Tuple(elts=[single]):
                return _brackets("(", concat(self.expression(single, _INSIDE), ","), ")", level)
            case ast.Tuple(elts=elements) if elements:
                return self.display("(", elements, ")", level)
            case ast.List(elts=elements) if elements:
                return self.display("[", elements, "]", level)
            case ast.Set(elts=elements):
                return self.display("{", elements, "}", level)
            case ast.Dict(keys=keys, values=values) if keys:
                entries = [
                    concat(self.expression(key, _INSIDE), ": ", self.expression(value, _INSIDE))
                    for key, value in zip(keys, values, strict=True)
                    if key is not None
                ]
                return _brackets("{", _separated(entries), "}", level)
            case ast.ListComp(elt=element, generators=[generator]):
                return _brackets("[", Group(self.comprehension(element, generator)), "]", level)
            case _:
                return self.flat(node)

    def operand(self, node: ast.expr, level: _Level) -> Doc:
        """Return an operand, in parentheses if they were written."""
        if strength(node) < Strength.ATOM and self.parenthesized(node):
            return _brackets("(", self.expression(node, _INSIDE), ")", level)
        return self.expression(node, level)

    def flattened(self, node: ast.expr, chain: Chain) -> Chain:
        """Return the operands and operators of nested operations that have no parentheses."""
        match node:
            case ast.BoolOp(op=operator, values=values):
                is_or = isinstance(operator, ast.Or)
                word = ("or", Strength.OR) if is_or else ("and", Strength.AND)
                for index, value in enumerate(values):
                    if index:
                        chain.append(word)
                    self.flattened_operand(value, chain)
            case ast.Compare(left=left, ops=[comparison], comparators=[right]):
                self.flattened_operand(left, chain)
                chain.append((COMPARISONS[type(comparison)], Strength.COMPARE))
                self.flattened_operand(right, chain)
            case ast.BinOp(left=left, op=operator, right=right):
                self.flattened_operand(left, chain)
                chain.append(OPERATORS[type(operator)])
                self.flattened_operand(right, chain)
            case _:
                chain.append(node)
        return chain

    def flattened_operand(self, node: ast.expr, chain: Chain) -> None:
        """Append an operand, laid flat unless it stands in parentheses."""
        if self.parenthesized(node):
            chain.append(node)
        else:
            self.flattened(node, chain)

    def chain(self, chain: Chain, level: _Level) -> Doc:
        """Return a chain, broken at its weakest operators; what they join are groups."""
        if len(chain) == 1 and isinstance(chain[0], ast.expr):
            return self.operand(chain[0], level)
        weakest = min(_rank(item) for item in chain)
        parts: list[Doc] = []
        start = 0
        for index, item in enumerate(chain):
            if isinstance(item, tuple) and _rank(item) == weakest:
                parts += [self.section(chain[start:index], level), level.line(), f"{item[0]} "]
                start = index + 1
        return Concat((*parts, self.section(chain[start:], level)))

    def section(self, chain: Chain, level: _Level) -> Doc:
        """Return a part of a chain, a group if it is more than one operand."""
        inner = self.chain(chain, level)
        return inner if len(chain) == 1 else level.group(inner)

    def arguments(
        self, arguments: list[ast.expr], keywords: list[ast.keyword], level: _Level
    ) -> Doc:
        """Return the arguments of a call in their parentheses."""
        match arguments, keywords:
            case [], []:
                return "()"
            case [ast.GeneratorExp(elt=element, generators=[generator])], []:
                return _brackets("(", Group(self.comprehension(element, generator)), ")", level)
            case _:
                items = [self.expression(argument, _INSIDE) for argument in arguments]
                items += [
                    concat(f"{keyword.arg}=", self.expression(keyword.value, _INSIDE))
                    for keyword in keywords
                ]
                inner = Group(_separated(items))
                return _brackets("(", inner, ")", level)

    def index(self, index: ast.expr, level: _Level) -> Doc:
        """Return a subscript; several types between its brackets need no parentheses."""
        match index:
            case ast.Tuple(elts=elements) if elements and not self.written_in_parentheses(index):
                items = [self.expression(element, _INSIDE) for element in elements]
                inner = Group(_separated(items))
                return _brackets("[", inner, "]", level)
            case _:
                return _brackets("[", self.expression(index, _INSIDE), "]", level)

    def written_in_parentheses(self, node: ast.Tuple) -> bool:
        """Whether a tuple was written with parentheses."""
        return node.elts[0].col_offset > node.col_offset and self.flat(node).startswith("(")

    def display(self, left: str, elements: list[ast.expr], right: str, level: _Level) -> Doc:
        """Return a display of elements, each on a line of its own if they do not fit."""
        items = [self.expression(element, _INSIDE) for element in elements]
        return _brackets(left, _separated(items), right, level)

    def comprehension(self, element: ast.expr, generator: ast.comprehension) -> Doc:
        """Return the inside of a comprehension."""
        parts: list[Doc] = [
            Group(self.expression(element, _INSIDE)),
            LINE,
            concat(
                f"for {self.flat(generator.target)} in ",
                self.expression(generator.iter, _INSIDE),
            ),
        ]
        for condition in generator.ifs:
            parts += [LINE, concat("if ", self.expression(condition, _INSIDE))]
        return Concat(tuple(parts))


def _rank(item: ast.expr | tuple[str, Strength]) -> Strength:
    """Return how early a chain breaks at an operator; `and` and `or` break together."""
    return max(item[1], Strength.AND) if isinstance(item, tuple) else Strength.ATOM


_TRAILING_COMMA = IfBreaks(",", "")


def _separated(items: list[Doc], end: Doc | None = None) -> Doc:
    """Return items with commas, one behind the last if they break; a single one has none."""
    if end is None:
        end = _TRAILING_COMMA if len(items) > 1 else ""
    return concat(join(concat(",", LINE), items), end)


def _brackets(left: str, content: Doc, right: str, level: _Level) -> Doc:
    group = Group(concat(left, Indent(concat(Break(space=False), content)), SOFT, right))
    return group if level.frame is None else MayBreak(group, level.frame)


def _optional_parentheses(frame: Frame, content: Doc) -> Doc:
    """Return content that gets parentheses, and lines of its own, if it does not fit without."""
    return Framed(
        frame,
        concat(
            IfBreaks("(", "", frame),
            IfBreaks(Indent(concat(SOFT, content)), content, frame),
            SOFT,
            IfBreaks(")", "", frame),
        ),
    )
