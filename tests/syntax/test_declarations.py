"""How declarations, roles and statements are read, and where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.diagnostics import SpecError
from compiler.syntax import load, tree
from tests.syntax.sketch import nodes, parsed, sketch, text_of

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("**/*.accord"))


def declarations(text: str) -> list[str]:
    return [sketch(d) for d in parsed(f"protocol Test\n{text}").declarations]


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("opaque T", "(OpaqueDeclaration T -)"),
        ("ordered B owned by P", "(OrderedDeclaration B P -)"),
        ("counter I", "(CounterDeclaration I -)"),
        ("enum E: A, B", "(EnumDeclaration E [A B] -)"),
        ("enum E:\n    A,\n    B,\n", "(EnumDeclaration E [A B] -)"),
        ("message M", "(SignatureDeclaration message M [] - -)"),
        ("message M(a: A, b: B,)", "(SignatureDeclaration message M [(Parameter a A) (Parameter b B)] - -)"),  # noqa: E501
        ("request R()", "(SignatureDeclaration request R [] - -)"),
        ("output O(\na: A)", "(SignatureDeclaration output O [(Parameter a A)] - -)"),
        ("ask q(a: A): bool", "(SignatureDeclaration ask q [(Parameter a A)] bool -)"),
        ("parameter f", "(ParameterDeclaration f - -)"),
        ("parameter f: 2 * f < total A", "(ParameterDeclaration f ((2 * f) < (CallExpression total [A])) -)"),  # noqa: E501
        ("quorum Q of A:\n    2 * size\n    > total", "(QuorumDeclaration Q A ((2 * size) > total) -)"),  # noqa: E501
        ("definition d(a: A):\n    a.x\n    or a.y", "(DefinitionDeclaration d [(Parameter a A)] ((FieldExpression a x) or (FieldExpression a y)) -)"),  # noqa: E501
        ("fact f: a", "(PropertyDeclaration fact f a -)"),
        ("possible p: a", "(PropertyDeclaration possible p a -)"),
        ("possible p without R, S: a", "(PropertyDeclaration possible p a - [R S])"),
        ("role R single stops", "(RoleDeclaration R true false - [] [] [] [] - true)"),
        ("ghost g: set T = {}", "(VariableDeclaration ghost g (SetType T) (SetExpression []) -)"),
        ("role R", "(RoleDeclaration R false false - [] [] [] [] -)"),
        ("role R single never crashes", "(RoleDeclaration R true true - [] [] [] [] -)"),
        # Documentation, below and inside.
        ('opaque T\n    """About T."""', "(OpaqueDeclaration T About T.)"),
        ('enum E:\n    """About E."""\n    A,\n    B', "(EnumDeclaration E [A B] About E.)"),
        ('safety s:\n    """About s."""\n    a\n', "(PropertyDeclaration safety s a About s.)"),
        ('safety s: a\n    """About s."""\n', "(PropertyDeclaration safety s a About s.)"),
        ('role R\n    """About R."""\n', "(RoleDeclaration R false false - [] [] [] [] About R.)"),
        ('role R:\n    """About R."""\n', "(RoleDeclaration R false false - [] [] [] [] About R.)"),
    ],
)  # fmt: skip
def test_declarations(text: str, tree: str) -> None:
    assert declarations(text) == [tree]


def test_a_role_in_full() -> None:
    (role,) = parsed("""\
protocol Test
role R single:
    durable a: A = zero
        \"\"\"About a.\"\"\"
    const b: B
    ghost c: C
    d: D = none
    durable state
    timer t
    timer u(x: X) after 10 to 20
        \"\"\"About u.\"\"\"
    state S (initial):
        \"\"\"About S.\"\"\"
        on M: become T
            \"\"\"One line.\"\"\"
        on start: become S
    state T
        \"\"\"About T.\"\"\"
    state U
    on M(a, (b, _)) from n: R when a:
        \"\"\"About M.\"\"\"
        reply N
    on M from n: N := n
    on request Q(x): reply N
    on timeout u(x) when a: reply N
    on recover: reply N
""").declarations
    assert isinstance(role, tree.RoleDeclaration)
    assert sketch(role.variables) == (
        "[(VariableDeclaration durable a A zero About a.) (VariableDeclaration const b B - -) "
        "(VariableDeclaration ghost c C - -) (VariableDeclaration volatile d D none -)]"
    )
    assert role.durable_state is not None
    assert text_of(role.durable_state) == "durable state"
    assert sketch(role.timers) == (
        "[(TimerDeclaration t [] - -) (TimerDeclaration u [(Parameter x X)] [10 20] About u.)]"
    )
    assert sketch(role.states) == (
        "[(StateDeclaration S true [(Handler (Event message M [] - -) - [(Become T)] One line.) "
        "(Handler (Event start - [] - -) - [(Become S)] -)] About S.) "
        "(StateDeclaration T false [] About T.) (StateDeclaration U false [] -)]"
    )
    assert sketch(role.handlers) == (
        "[(Handler (Event message M [a (TuplePattern [b _])] n R) a [(Reply (Message N []))] "
        "About M.) "
        "(Handler (Event message M [] n -) - [(Assign N := n)] -) "
        "(Handler (Event request Q [x] - -) - [(Reply (Message N []))] -) "
        "(Handler (Event timeout u [x] - -) a [(Reply (Message N []))] -) "
        "(Handler (Event recover - [] - -) - [(Reply (Message N []))] -)]"
    )


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("x[a, b] := c", "(Assign (IndexExpression x [a b]) := c)"),
        ("x += {a}", "(Assign x += (SetExpression [a]))"),
        ("x.y -= a", "(Assign (FieldExpression x y) -= a)"),
        ("let (a, b) = c", "(Let (TuplePattern [a b]) c)"),
        ("send M(a) to b.c", "(Send (Message M [a]) (FieldExpression b c))"),
        ("broadcast M() to R", "(Broadcast (Message M []) R)"),
        ("become S", "(Become S)"),
        ("output O(a)", "(OutputStatement (Message O [a]))"),
        ("pick x in S", "(Pick x S -)"),
        ("pick x in S where x > a", "(Pick x S (x > a))"),
        ("arm t(a)", "(Arm (Message t [a]))"),
        ("disarm t", "(Disarm (Message t []))"),
        ("require a", "(Require a)"),
        ("assert a", "(Assert a)"),
        ("assume a", "(Assume a)"),
        ("for x in s: y += x", "(For x s [(Assign y += x)])"),
        ("for (a, b) in s:\n            y := a\n            reply M", "(For (TuplePattern [a b]) s [(Assign y := a) (Reply (Message M []))])"),  # noqa: E501
        ("if a: reply M", "(If [(Branch a [(Reply (Message M []))])] -)"),
        ("if a:\n            reply M\n        elif b: reply N\n        else:\n            reply O", "(If [(Branch a [(Reply (Message M []))]) (Branch b [(Reply (Message N []))])] [(Reply (Message O []))])"),  # noqa: E501
    ],
)  # fmt: skip
def test_statements(text: str, tree: str) -> None:
    (role,) = declarations(f"role R:\n    on M:\n        {text}\n")
    assert role.endswith(f"[(Handler (Event message M [] - -) - [{tree}] -)] -)")


def test_documentation_is_dedented() -> None:
    text = 'protocol Test\n    """First.\n\n      Deeper.\n    Not.  \n\n    """\n'
    assert parsed(text).doc == "First.\n\n  Deeper.\nNot."
    assert parsed('protocol Test\n    """\n    Below \\ "quoted".\n    """').doc == (
        'Below \\ "quoted".'
    )


def test_comments_blank_lines_and_line_ends_mean_nothing() -> None:
    text = "protocol Test\nrole R:\n    x: T\n    on M:\n        x := y\n    on N: x := z\n"
    noisy = "# a\n\n" + text.replace("\n", "  # b\n\n# c\n            # d\n").rstrip()
    assert sketch(parsed(noisy)) == sketch(parsed(text))
    assert sketch(parsed(text.replace("\n", "\r\n"))) == sketch(parsed(text))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_places_are_exact(path: Path) -> None:
    source = load(path)
    protocol = parsed(source.text)
    for node in nodes(protocol):
        match node:
            case tree.Name():
                assert text_of(node.span) == node.text
            case tree.BinaryExpression():
                assert text_of(node.operator_span) == node.operator
            case tree.RoleDeclaration() | tree.Handler() | tree.If():
                text = text_of(node.span)
                assert text.split()[0] in {"role", "on", "if"}
                assert text == text.strip()
            case tree.Assign():
                assert text_of(node.span).startswith(text_of(node.target.span))
                assert text_of(node.span).endswith(text_of(node.value.span))
            case _:
                pass


def test_places_of_brackets_and_operators() -> None:
    declaration = parsed("protocol T\nfact f: (a  or b) not  in\n  {c}\n").declarations[0]
    assert isinstance(declaration, tree.PropertyDeclaration)
    body = declaration.body
    assert isinstance(body, tree.BinaryExpression)
    assert text_of(body.span) == "(a  or b) not  in\n  {c}"
    assert text_of(body.operator_span) == "not  in"
    assert text_of(body.left.span) == "a  or b"


def test_load(tmp_path: Path) -> None:
    path = tmp_path / "spec.accord"
    path.write_bytes(b"\xef\xbb\xbfprotocol P\r\n")
    assert load(path).text == "protocol P\n"
    assert load(str(path)).path == str(path)
    (tmp_path / "latin.accord").write_bytes(b"protocol \xe9\n")
    unreadable: list[tuple[str | Path, str]] = [
        (tmp_path / "none.accord", "there is no such file"),
        (tmp_path, "it is a directory"),
        (tmp_path / "latin.accord", "it is not UTF-8 text (byte 9)"),
        (path / "inside", "not a directory"),
        ("a\0b", "embedded null byte"),
    ]
    for bad, reason in unreadable:
        with pytest.raises(SpecError) as raised:
            load(bad)
        (diagnostic,) = raised.value.diagnostics
        assert diagnostic.code.value == "E501"
        assert diagnostic.message == f"cannot read {bad}: {reason}"
