"""What the checker makes of single constructs, and where it draws the line."""

import pytest

from compiler.check import checked
from compiler.check.handlers import handler_names
from compiler.check.names import snake_case, suggest
from compiler.diagnostics import Code
from tests.check.loading import checked_text, codes_of

NODE = """
opaque Value
ordered Ballot
enum Colour: Red, Green
enum Light: Red, Amber
request Go(value: Value, colour: Colour)
message Ping
role Node:
    best: option (Ballot, Value)
    colour: Colour = Red
    light: Light = Red
    seen: set Value
    pairs: set (Ballot, Value)
    table: map Value to map Ballot to option Value
    marks: map Value to bool
    on Ping from node: reply Ping
    on request Go(value, given):
"""


def body(*lines: str) -> tuple[checked.Statement, ...]:
    """Return the statements of a handler of `NODE` with these lines."""
    return (
        checked_text(NODE + "".join(f"        {line}\n" for line in lines))
        .roles[0]
        .handlers[1]
        .body
    )


def codes(*lines: str) -> list[Code]:
    """Return what is said about a handler of `NODE` with these lines."""
    return codes_of(NODE + "".join(f"        {line}\n" for line in lines))


def test_the_expected_type_decides_shared_enum_members() -> None:
    first, second, test = body("colour := Red", "light := Red", "if Red = light: light := Amber")
    assert isinstance(first, checked.Assign)
    assert str(first.value.type) == "Colour"
    assert isinstance(second, checked.Assign)
    assert str(second.value.type) == "Light"
    assert isinstance(test, checked.If)
    condition = test.branches[0].condition
    assert isinstance(condition, checked.Compare)
    assert str(condition.left.type) == "Light"


def test_literals_take_their_type_from_the_other_side() -> None:
    (test,) = body("if none = best and {} = seen and some (zero, value) != best: colour := given")
    assert isinstance(test, checked.If)


@pytest.mark.parametrize(
    ("statement", "operator"),
    [
        ("seen += value", "add"),
        ("seen += {value}", "union"),
        ("seen += seen", "union"),
        ("seen -= value", "remove"),
        ("seen -= {}", "difference"),
        ("pairs += (zero, value)", "add"),
        ("pairs -= {(zero, value)}", "difference"),
    ],
)
def test_set_updates(statement: str, operator: str) -> None:
    (found,) = body(statement)
    assert isinstance(found, checked.Assign)
    assert found.operator == operator


def test_nested_maps_have_a_key_a_level() -> None:
    (found,) = body("table[value][zero] := some value")
    assert isinstance(found, checked.Assign)
    assert [str(key.type) for key in found.keys] == ["Value", "Ballot"]


def test_a_match_binds_to_the_right_and_in_the_body() -> None:
    (found,) = body("if best is some (number, item) and number > zero: seen += item")
    assert isinstance(found, checked.If)
    condition = found.branches[0].condition
    assert isinstance(condition, checked.Logical)
    assert isinstance(condition.left, checked.Match)


def test_a_required_match_binds_in_the_rest_of_the_block() -> None:
    required, added = body("require best is some (_, item)", "seen += item")
    assert isinstance(required, checked.Require)
    assert isinstance(added, checked.Assign)


def test_a_match_does_not_bind_in_other_branches() -> None:
    lines = ("if best is some (_, item): seen += item", "else: seen += item")
    assert codes(*lines) == [Code.UNKNOWN_NAME]


def test_branches_may_use_a_name_for_different_things() -> None:
    first, second = body("if colour = Red: let item = value", "if colour = Green: let item = given")
    assert isinstance(first, checked.If)
    assert isinstance(second, checked.If)


@pytest.mark.parametrize(
    "lines",
    [
        ("for item in seen: marks[item] := true",),
        ("for item in seen: table[item][zero] := some value",),
        ("for (number, item) in pairs: table[item][number] := some item",),
        ("for item in seen:", "    for other in seen: pairs += (zero, other)"),
        ("for item in seen:", "    if not marks[item]: marks[item] := true"),
        ("for item in seen: seen -= item",),
        ("for item in seen:", "    marks[item] := false", "    marks[item] := true"),
    ],
)
def test_loops_whose_rounds_are_apart(lines: tuple[str, ...]) -> None:
    assert isinstance(body(*lines)[0], checked.For)


@pytest.mark.parametrize(
    "lines",
    [
        ("for item in seen: colour := given",),
        ("for (_, item) in pairs: marks[item] := true",),
        ("for (number, item) in pairs: table[item][zero] := some item",),
        ("for item in seen:", "    for other in seen: marks[other] := true"),
        ("for item in seen:", "    if value not in seen: seen += item"),
        ("for item in seen:", "    marks[item] := marks[value]"),
        ("for item in seen:", "    if item = value: pairs -= (zero, item)", "    pairs += {}"),
    ],
)
def test_loops_whose_rounds_meet(lines: tuple[str, ...]) -> None:
    assert set(codes(*lines)) == {Code.LOOP_DEPENDENCE}


def test_a_choice_may_follow_a_branch_without_effect() -> None:
    assert len(body("if colour = Red: require value in seen", "pick item in seen")) == 2


@pytest.mark.parametrize(
    "effect",
    ["seen += value", "send Ping to self", "broadcast Ping to Node", "for i in seen: seen -= i"],
)
def test_a_choice_may_not_follow_an_effect(effect: str) -> None:
    assert codes(effect, "pick item in seen") == [Code.CHOICE_AFTER_EFFECT]


def test_code_may_go_through_a_set() -> None:
    (found,) = body("if forall item in seen: exists other in seen: item != other: seen := {}")
    assert isinstance(found, checked.If)
    assert isinstance(found.branches[0].condition, checked.QuantifiedIn)


def test_no_question_inside_a_quantifier() -> None:
    text = "ask fit(value: Value): bool" + NODE
    text += "        if forall item in seen: ask fit(item): seen := {}\n"
    assert codes_of(text) == [Code.NOT_EXECUTABLE]


def test_broadcast_only_needs_every_statement_to_broadcast() -> None:
    protocol = checked_text(NODE + "        broadcast Ping to Node\n")
    (channel,) = protocol.messages[0].channels
    assert not channel.broadcast_only


def test_handler_names_are_distinct() -> None:
    protocol = checked_text(
        """
        message Start
        message GoOn
        role Node:
            x: bool
            state Up (initial):
                on GoOn from node when x: reply GoOn
            state Down:
                on GoOn from node: reply Start
            on start: send GoOn to self
            on Start: become Down
            on GoOn when x: become Up
            on GoOn: become Down
        """
    )
    assert [h.name for h in protocol.roles[0].handlers] == [
        "on_go_on_up",
        "on_go_on_down",
        "on_start",
        "on_start_2",
        "on_go_on",
        "on_go_on_2",
    ]
    assert handler_names([]) == []


def test_an_unnamed_sender_has_a_name_that_is_free() -> None:
    protocol = checked_text(
        """
        opaque Value
        message Put(value: Value)
        request Go(value: Value)
        role Node:
            sender: option Value
            on request Go(value): send Put(value) to self
            on Put(value): sender := some value
        """
    )
    event = protocol.roles[0].handlers[1].event
    assert isinstance(event, checked.MessageEvent)
    assert not event.sender_named
    assert event.sender.name == "sender_"


def test_a_bare_total_counts_the_nodes_of_the_quorum() -> None:
    protocol = checked_text(
        """
        parameter f: 2 * f < total Node
        quorum Most of Node: size >= total - f and size > total Other // 2
        fact alive: Most survives f
        role Node:
            x: set Node
        role Other:
            y: set Node
        invariant most: forall n: Node: n.x includes Most
        """
    )
    threshold = protocol.quorums[0].threshold
    assert isinstance(threshold, checked.Logical)
    totals = []
    for side in (threshold.left, threshold.right):
        assert isinstance(side, checked.Compare)
        right = side.right
        assert isinstance(right, checked.Arithmetic)
        assert isinstance(right.left, checked.IntName)
        totals.append(str(right.left.role))
    assert totals == ["Node", "Other"]


def test_definitions_may_stand_in_any_order() -> None:
    protocol = checked_text(
        """
        safety fine: forall n: Node: all_good(n)
        definition all_good(n: Node): good(n) and n.x
        definition good(n: Node): n.x
        role Node:
            x: bool
        """
    )
    assert [d.name for d in protocol.definitions] == ["all_good", "good"]


def test_an_assertion_is_code_if_it_can_be() -> None:
    code, formula = body("assert value in seen", "assert forall n: Node: value in n.seen")
    assert isinstance(code, checked.Assert)
    assert code.executable
    assert isinstance(formula, checked.Assert)
    assert not formula.executable


def test_snake_case() -> None:
    assert [snake_case(n) for n in ("CanCommit", "retry", "HTTPServer", "Phase2a", "give_up")] == [
        "can_commit",
        "retry",
        "http_server",
        "phase2a",
        "give_up",
    ]


def test_suggestions() -> None:
    assert suggest("ballott", ["ballot", "value"]) == "did you mean `ballot`?"
    assert suggest("acceptor", ["Acceptor", "accepted"]) == "did you mean `Acceptor`?"
    assert suggest("x", ["ballot"]) is None
