"""Whatever is given to a command, the answer is a message and exit code 2, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command.running import ONCE, ROOT, run

DEEP = {
    "parentheses": "(" * 3000 + "true" + ")" * 3000,
    "open": "(" * 500,
    "negations": "not " * 3000 + "true",
    "conjunctions": " and ".join(["true"] * 3000),
    "implications": " implies ".join(["true"] * 3000),
    "quantifiers": "forall s: Store: " * 3000 + "true",
    "sums": "1 + " * 3000 + "1 = 1",
}

FILES = {
    "empty": (b"", "error[E009]"),
    "binary": (bytes(range(256)), "it is not UTF-8 text"),
    "nul": (b"protocol P\n\0\n", "error[E002]"),
    "latin": ("protocol P\n# \xe9\n".encode("latin-1"), "it is not UTF-8 text"),
    "words": (b"once upon a time\n", "error[E009]"),
    "blank": (b"\n\n   \n\t\n", "error[E009]"),
}


@pytest.mark.parametrize("command", ["verify", "build", "show"])
@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_specs(work: Path, command: str, name: str) -> None:
    content, message = FILES[name]
    (work / "x.accord").write_bytes(content)
    result = run(command, "x.accord")
    assert (result.code, result.out) == (2, "")
    assert message in result.err


@pytest.mark.parametrize("command", ["verify", "build", "show"])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing.accord", "cannot read missing.accord: there is no such file"),
        (".", "cannot read .: it is a directory"),
        ("once.accord/x", "cannot read once.accord/x: not a directory"),
        ("x" * 300, "file name too long"),
        ("a\0b", "cannot read"),
    ],
)
def test_paths_that_cannot_be_read(command: str, path: str, message: str) -> None:
    result = run(command, path)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


@pytest.mark.parametrize("name", DEEP)
def test_deep_nesting_is_understood_or_refused(work: Path, name: str) -> None:
    (work / "x.accord").write_text(ONCE + f"\nsafety deep: {DEEP[name]}\n")
    result = run("show", "x.accord")
    assert result.code in (0, 2)
    assert (result.code == 0) == (result.err == "")


def test_deep_blocks_are_refused(work: Path) -> None:
    lines = [" " * (8 + depth) + "if kept is none:" for depth in range(500)]
    text = "\n".join([*lines, " " * 600 + "kept := some value"])
    (work / "x.accord").write_text(ONCE.replace("        kept := some value", text))
    result = run("show", "x.accord")
    assert result.code == 2
    assert "within each other" in result.err


def test_what_an_editor_may_do_to_a_file_changes_nothing(work: Path) -> None:
    plain = run("show", "once.accord")
    (work / "x.accord").write_bytes(b"\xef\xbb\xbf" + ONCE.replace("\n", "\r\n").encode())
    assert run("show", "x.accord").out == plain.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["prove"], "invalid choice: 'prove'"),
        (["verify"], "the following arguments are required: FILE"),
        (["verify", "once.accord", "--bogus"], "unrecognized arguments: --bogus"),
        (["verify", "once.accord", "--jobs", "0"], "argument --jobs: must be at least 1"),
        (["verify", "once.accord", "--jobs", "-1"], "argument --jobs: must be at least 1"),
        (["verify", "once.accord", "--jobs", "two"], "`two` is not a whole number"),
        (["verify", "once.accord", "--seed", "x"], "`x` is not a whole number"),
        (["verify", "once.accord", "--timeout", "nan"], "`nan` is not a number of seconds above 0"),
        (["verify", "once.accord", "--timeout", "inf"], "`inf` is not a number of seconds above 0"),
        (["verify", "once.accord", "--timeout", "0"], "`0` is not a number of seconds above 0"),
        (["verify", "once.accord", "--timeout", "1s"], "`1s` is not a number of seconds above 0"),
        (["show", "once.accord", "--model", "--fragment"], "not allowed with argument --model"),
        (["simulate", "x.py", "--seeds", "0"], "argument --seeds: must be at least 1"),
        (["simulate", "x.py", "--check", "some"], "invalid choice: 'some'"),
    ],
)
def test_options_that_make_no_sense(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert result.err.startswith("accordant: ")
    assert "--help` for what can be given" in result.err


# --- modules and schedules -----------------------------------------------------------------------


@pytest.fixture
def module(work: Path) -> str:
    assert run("build", "--unproved", "once.accord").code == 0
    return "generated/once.py"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "has no `PROTOCOL`"),
        ("import nothing_of_that_name", "cannot be imported: ModuleNotFoundError"),
        ("def f(:", "cannot be imported: SyntaxError"),
        ("raise RuntimeError('no')", "cannot be imported: RuntimeError: no"),
        ("raise SystemExit(0)", "cannot be imported: SystemExit"),
    ],
)
def test_modules_that_are_not_ours(work: Path, content: str | None, message: str) -> None:
    if content is not None:
        (work / "x.py").write_text(content)
    result = run("simulate", "x.py", "--seeds", "1")
    assert (result.code, result.out) == (2, "")
    assert message in result.err


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ("Foo=3", "no role or parameter is called `Foo`; there are: Store"),
        ("Store", "--nodes: `Store` is not of the form ROLE=NUMBER"),
        ("Store=", "--nodes: `Store=` is not of the form ROLE=NUMBER"),
        ("=3", "no role or parameter is called ``"),
        ("Store=two", "--nodes: `Store=two` is not of the form ROLE=NUMBER"),
        ("Store=-1", "--nodes: `Store=-1` is not of the form ROLE=NUMBER"),
        ("Store=\N{SUPERSCRIPT TWO}", "is not of the form ROLE=NUMBER"),
        ("Store=9999999999999", "is not of the form ROLE=NUMBER"),
        ("Store=0", "the role `Store` needs at least one node"),
        ("Store=1,Store=2", "--nodes: `Store` is given twice"),
    ],
)
def test_clusters_that_cannot_be(module: str, nodes: str, message: str) -> None:
    result = run("simulate", module, "--seeds", "1", "--nodes", nodes)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_a_module_of_another_spec_than_there_is_now(work: Path, module: str) -> None:
    (work / "once.accord").write_text(ONCE + "# changed\n")
    stale = run("simulate", module, "--seeds", "1")
    assert stale.code == 2
    assert "was built of another spec than generated/../once.accord is now" in stale.err
    (work / "once.accord").unlink()
    missing = run("simulate", module, "--seeds", "1")
    assert missing.code == 2
    assert "name it with --spec, or run without checks with --check off" in missing.err
    named = run("simulate", module, "--seeds", "1", "--spec", ROOT / "specs/paxos.accord")
    assert named.code == 2


HEADER = '{"protocol": "Once", "spec_sha256": "", "cluster": {"Store": ["s1"]}, "parameters": {}, '


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot read x.json: No such file or directory"),
        (b"\xff\xfe", "cannot read x.json: it is not UTF-8 text"),
        (b"", "x.json is not a schedule: not JSON"),
        (b"{", "x.json is not a schedule: not JSON"),
        (b"[" * 100_000, "x.json is not a schedule"),
        (b"[]", "x.json is not a schedule: a schedule is a JSON object"),
        (b'{"protocol": "Paxos"}', "x.json is not a schedule"),
        (HEADER.encode() + b'"steps": 3}', "x.json is not a schedule"),
        (HEADER.encode() + b'"steps": [3]}', "x.json is not a schedule"),
        (HEADER.encode() + b'"steps": [{"step": "jump", "node": "s1"}]}', "'jump' is not a step"),
        (HEADER.encode() + b'"steps": [{"step": "crash", "node": "s9"}]}', "no node is called"),
        (HEADER.encode() + b'"steps": [{"step": "crash", "node": {}}]}', "x.json is not a sched"),
        (
            HEADER.encode() + b'"steps": [{"step": "restart", "node": "s1"}]}',
            "x.json: step 1: ",
        ),
    ],
)
def test_schedules_that_are_none(work: Path, module: str, text: bytes | None, message: str) -> None:
    if text is not None:
        (work / "x.json").write_bytes(text)
    result = run("simulate", module, "--replay", "x.json")
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_a_directory_is_no_schedule(module: str) -> None:
    result = run("simulate", module, "--replay", ".")
    assert (result.code, result.err) == (2, "accordant: cannot read .: Is a directory\n")
