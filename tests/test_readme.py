"""The README and the tutorial show what really happens.

Every `console` block is run, in order, in a copy of the repository's specs and generated
modules, and must print what the block shows, times apart. A block that ends with a line `…`
shows the beginning. A comment `file NAME` or `add to NAME` before a block says that the reader
writes it to that file, `edit NAME: A => B` that the reader changes a line there. With
ACCORDANT_UPDATE_GOLDENS=1 the console blocks are rewritten.
"""

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

from compiler.command.main import main

ROOT = Path(__file__).parents[1]
ITEM = re.compile(
    r"<!-- (?P<how>file|add to) (?P<name>\S+) -->\n```\w*\n(?P<content>.*?)```\n"
    r"|<!-- edit (?P<edited>\S+): `(?P<old>[^`]*)` => `(?P<new>[^`]*)` -->\n"
    r"|```console\n(?P<console>.*?)```\n",
    re.DOTALL,
)
TIMES = re.compile(r"\(?\d[\d,.]* (s\b|a second and process)\)?")
MORE = "…"


def run_block(text: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the block as it should be: each command followed by what it prints."""
    shown: list[str] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            shown.append(line)
            words = shlex.split(line[2:])
            assert words[0] == "accordant", line
            main(words[1:])
            shown += [printed.rstrip() for printed in capsys.readouterr().out.splitlines()]
    lines = text.splitlines()
    if lines[-1] == MORE:
        shown = [*shown[: len(lines) - 1], MORE]
    return "\n".join(shown) + "\n"


@pytest.mark.parametrize("document", ["README.md", "docs/tutorial.md"])
def test_console_blocks(
    document: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = ROOT / document
    text = path.read_text()
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    shutil.copytree(ROOT / "generated", tmp_path / "generated")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ACCORDANT_CACHE", raising=False)

    def follow(item: re.Match[str]) -> str:
        """Do what the document says here, and return it as it should be."""
        if item["how"] is not None:
            with (tmp_path / item["name"]).open("w" if item["how"] == "file" else "a") as file:
                file.write(item["content"])
        elif item["edited"] is not None:
            edited = tmp_path / item["edited"]
            before = edited.read_text()
            assert before.count(item["old"]) == 1
            edited.write_text(before.replace(item["old"], item["new"]))
        else:
            return f"```console\n{run_block(item['console'], capsys)}```\n"
        return item[0]

    expected = ITEM.sub(follow, text)
    if os.environ.get("ACCORDANT_UPDATE_GOLDENS"):
        path.write_text(expected)
    assert TIMES.sub("(time)", path.read_text()) == TIMES.sub("(time)", expected)


def test_the_readme_names_the_test_command() -> None:
    """What `.ci/run` runs is what the README says."""
    text = (ROOT / "README.md").read_text()
    found = re.search(r"<!-- tests -->\n```sh\n(.*?)```", text, re.DOTALL)
    assert found is not None
    assert ".venv/bin/pytest" in found.group(1)
