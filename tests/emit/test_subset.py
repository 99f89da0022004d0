"""Handlers keep to the subset of Python that docs/generated-code.md describes."""

from __future__ import annotations

import ast

import pytest

from tests.emit.building import SPECS, emitted

STATEMENTS = (
    *(ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.If, ast.For),
    *(ast.Return, ast.Assert, ast.Pass),
)
EXPRESSIONS = (
    *(ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.Call, ast.Starred),
    *(ast.Tuple, ast.Set, ast.List, ast.Dict, ast.ListComp, ast.GeneratorExp, ast.NamedExpr),
    *(ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Compare),
)
OPERATORS = (
    *(ast.And, ast.Or, ast.Not, ast.Add, ast.Sub, ast.Mult, ast.FloorDiv),
    *(ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is, ast.IsNot),
)
BUILT_IN = {"len", "max", "all", "any", "sorted", "set", "frozenset"}
METHODS = {"add", "discard", "update", "difference_update", "setdefault", "get", "append", "values"}


class Handler(ast.NodeVisitor):
    """Visits a handler and fails at what is not in the subset."""

    def __init__(self, defined: set[str]) -> None:
        self.defined = defined
        self.in_test = False
        self.depth_of_loops = 0

    def visit(self, node: ast.AST) -> None:
        allowed = (*STATEMENTS, *EXPRESSIONS, *OPERATORS, ast.expr_context, ast.comprehension)
        assert isinstance(node, (*allowed, ast.keyword)), ast.dump(node)
        super().visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        assert isinstance(node.target, ast.Name)
        assert node.value is not None
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        assert ast.unparse(node.target) == "effects"
        assert isinstance(node.op, ast.Add)
        assert ast.unparse(node.value).startswith("broadcast(")
        self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        self.in_test = True
        self.visit(node.test)
        self.in_test = False
        for statement in (*node.body, *node.orelse):
            self.visit(statement)

    def visit_For(self, node: ast.For) -> None:
        assert is_sorted(node.iter), ast.unparse(node.iter)
        self.visit(node.iter)
        assert not node.orelse
        self.depth_of_loops += 1
        for statement in node.body:
            self.visit(statement)
        self.depth_of_loops -= 1

    def visit_Return(self, node: ast.Return) -> None:
        assert not self.depth_of_loops
        assert node.value is not None
        self.visit(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        assert isinstance(node.value, ast.Call)
        self.visit(node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        assert self.in_test
        self.visit(node.value)

    def visit_Compare(self, node: ast.Compare) -> None:
        assert len(node.ops) == 1
        self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        assert not node.keys

    def visit_ListComp(self, node: ast.ListComp) -> None:
        (generator,) = node.generators
        assert is_sorted(generator.iter)
        assert ast.unparse(node.elt) == ast.unparse(generator.target)
        assert len(generator.ifs) == 1
        self.generic_visit(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        (generator,) = node.generators
        assert not generator.ifs
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        match node.func:
            case ast.Name(id=name):
                assert name in BUILT_IN | self.defined, name
            case ast.Attribute(value=value, attr=name):
                assert name in METHODS, name
                self.visit(value)
            case other:
                raise AssertionError(ast.unparse(other))
        if node.keywords:
            assert is_sorted(node)
        for argument in node.args:
            self.visit(argument)


def is_sorted(node: ast.expr) -> bool:
    """Whether an expression is `sorted(set, key=repr)`."""
    match node:
        case ast.Call(
            func=ast.Name(id="sorted"),
            args=[_],
            keywords=[ast.keyword(arg="key", value=ast.Name(id="repr"))],
        ):
            return True
        case _:
            return False


def changes_the_node(statement: ast.stmt) -> bool:
    """Whether a statement assigns to `self` or changes a set or map of it."""
    match statement:
        case ast.Assign(targets=[target]):
            return ast.unparse(target).startswith("self.")
        case ast.Expr(value=ast.Call(func=function)):
            return ast.unparse(function).startswith("self.")
        case _:
            return False


def backs_out(statement: ast.stmt) -> bool:
    """Whether a statement returns `None` or a question."""
    match statement:
        case ast.Return(value=ast.expr() as value):
            text = ast.unparse(value)
            return text == "None" or text.startswith("[Ask(")
        case _:
            return False


def check_order(statements: list[ast.stmt], changed: bool) -> bool:
    """Check that nothing backs out after a change; return whether there was one."""
    for statement in statements:
        assert not (changed and backs_out(statement)), ast.unparse(statement)
        if isinstance(statement, ast.If):
            branches = [check_order(part, changed) for part in (statement.body, statement.orelse)]
            returns = isinstance(statement.body[-1], ast.Return)
            changed = changed or branches[1] or (branches[0] and not returns)
        elif isinstance(statement, ast.For):
            changed = check_order(statement.body, changed) or changed
        else:
            changed = changed or changes_the_node(statement)
    return changed


@pytest.mark.parametrize("spec", SPECS)
def test_handlers_keep_to_the_subset(spec: str) -> None:
    module = ast.parse(emitted(spec))
    defined = {
        node.name for node in module.body if isinstance(node, ast.ClassDef | ast.FunctionDef)
    }
    handlers = [
        method
        for node in module.body
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, ast.FunctionDef) and method.name.startswith("on_")
    ]
    assert handlers
    for handler in handlers:
        documentation, *statements = handler.body
        assert isinstance(documentation, ast.Expr)
        for statement in statements:
            Handler(defined).visit(statement)
        check_order(statements, False)
        assert isinstance(statements[-1], ast.Return)


@pytest.mark.parametrize("spec", SPECS)
def test_modules_import_only_the_standard_library(spec: str) -> None:
    imported = set()
    for node in ast.walk(ast.parse(emitted(spec))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    assert imported <= {"__future__", "enum", "collections.abc", "dataclasses", "typing"}
