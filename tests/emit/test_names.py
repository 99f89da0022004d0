"""Names of a spec that mean something else in Python."""

from __future__ import annotations

import ast
import keyword

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from compiler.diagnostics import SpecError
from compiler.emit import emit, module_name, names
from compiler.emit.names import Scope
from tests.emit.building import compiled_text, loaded, loaded_text

TAKEN = sorted(
    {*keyword.kwlist, *keyword.softkwlist, *names.BUILTINS, *names.PRELUDE, *names.NODE}
    | {*names.HANDLER, *names.IMPORTED, *names.FIELD}
    | {"mro", "name", "value", "index", "count", "number", "owner", "on_step", "Step", "STEP"}
    | {"__init__", "__slots__", "_x", "__x", "x_", "write", "choices", "found", "entries"}
)


def is_free(word: str) -> bool:
    """Whether the language lets a spec use `word` for anything."""
    if word == "bool":
        return False  # a type of the language
    try:
        compiled_text(f"protocol P\nrole R:\n    {word}: bool\n    on start: {word} := true\n")
    except SpecError:
        return False
    return True


WORDS = [word for word in TAKEN if is_free(word)]


@settings(derandomize=True, deadline=None)
@given(st.lists(st.text("abB_1", min_size=1, max_size=4), unique=True))
def test_names_of_one_scope_are_distinct_identifiers(spec_names: list[str]) -> None:
    scope = Scope(names.BUILTINS)
    given_names = [scope.give(name, name) for name in spec_names]
    assert len(set(given_names)) == len(given_names)
    assert all(name.isidentifier() and not name.startswith("_") for name in given_names)
    assert [scope.give(name, name) for name in spec_names] == given_names


def test_what_is_taken_gets_an_underscore() -> None:
    scope = Scope(names.BUILTINS)
    assert scope.give(1, "set") == "set_"
    assert scope.give(2, "lambda") == "lambda_"
    assert scope.give(3, "set_") == "set__"
    assert scope.give(4, "taken") == "taken"
    assert scope.give(5, "taken", "other") == "other"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("specs/paxos.accord", "paxos"),
        ("two-phase commit.accord", "two_phase_commit"),
        ("2pc.accord", "protocol_2pc"),
        ("lambda.accord", "lambda_"),
        ("enum.accord", "enum_"),
        ("types.accord", "types_"),
        ("__init__.accord", "protocol_init"),
        (".accord", "protocol"),
        ("été.accord", "_t_"),
        ("a.b.accord", "a_b"),
    ],
)
def test_module_names(path: str, name: str) -> None:
    assert module_name(path) == name
    assert name.isidentifier()


SPEC = """\
protocol {0}
opaque {1}
ordered {2}
enum {3}: {4}, {5}
record {6}({7}: {1}, {8}: {2})
message {9}({10}: {6}, {11}: option {2})
request {12}({13}: {1})
output {14}({15}: {1})
ask {16}({17}: {1}): bool
role {18}:
    durable {19}: map {1} to {3} = {4}
    {20}: set {1}
    timer {21}({22}: {1})
    on request {12}({23}) when {23} not in {20}:
        if ask {16}({23}):
            {20} += {23}
            {19}[{23}] := {5}
            arm {21}({23})
            output {14}({23})
            broadcast {9}({6}({23}, zero), none) to {18}
    on {9}({24}, {25}) from {26}:
        if {25} is some {27} and {24}.{8} < {27}:
            {20} -= {24}.{7}
            reply {9}({24}, some {27})
    on timeout {21}({28}):
        {19}[{28}] := {4}
"""


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(WORDS), min_size=29, max_size=29, unique=True))
def test_any_names_make_a_module_that_works(words: list[str]) -> None:
    try:
        protocol = compiled_text(SPEC.format(*words))
    except SpecError:
        reject()  # a word that the language itself needs at that place
    module = loaded_text(emit(protocol, spec_path="x.accord", proved=False), "hostile_module")
    (role,) = module.ROLES.values()
    node = role("n", module.Cluster(("n",)))
    request = module.REQUESTS[words[12]]("v")
    assert node.request(request) == [module.Ask(module.QUESTIONS[words[16]]("v"))]
    effects = node.request(request, {words[16]: True})
    assert effects is not None
    written = module.Write(words[19], ("v",), module.ENUMS[words[3]](words[5]))
    assert effects[0] == module.Persist((written,))
    assert node.request(request) is None
    assert getattr(node, role.VARIABLES[words[20]]) == {"v"}
    assert node.timeout(module.TIMERS[(words[18], words[21])]("v")) is not None


def test_hostile_names_work() -> None:
    module = loaded("tests/emit/specs/hostile_names.accord")
    cluster = module.Cluster(acceptor=("a", "b"), acceptor_count=1)
    node = module.ROLES["acceptor"]("a", cluster, len_=frozenset(), const_map={})
    sent = node.step(module.Requested(module.REQUESTS["step"]("x")))
    message = module.MESSAGES["deliver"]("x", module.ORDEREDS["Event"], None)
    assert sent == [module.Send("a", message), module.Send("b", message)]
    assert [member.value for member in module.ENUMS["Send"]] == ["Foo", "foo", "FOO"]
    assert module.MESSAGES["Ballot"] is not module.ORDEREDS["Ballot_"]


def test_no_generated_name_is_hidden() -> None:
    tree = ast.parse(
        emit(compiled_text(SPEC.format(*(f"n{i}" for i in range(29)))), spec_path="x", proved=True)
    )
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    assert len(defined) == len(set(defined))
