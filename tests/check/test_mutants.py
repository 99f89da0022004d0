"""The checker says something sensible of any tree: specs with names and lines mixed up."""

import random
import re

import pytest

from compiler.check import check
from compiler.diagnostics import Diagnostics, Source
from compiler.diagnostics.render import render
from compiler.syntax import parse
from tests.check.loading import ROOT

SPECS = ["specs/paxos.accord", "specs/two_phase_commit.accord", "tests/specs/all_constructs.accord"]


def mutant(text: str, random_: random.Random) -> str:
    """Return the text with a few names replaced by others of it, and a line moved or lost."""
    words = sorted(set(re.findall(r"[A-Za-z_]+", text)))
    for _ in range(random_.randint(1, 6)):
        found = list(re.finditer(r"[A-Za-z_]+", text))
        place = random_.choice(found)
        text = text[: place.start()] + random_.choice(words) + text[place.end() :]
    lines = text.split("\n")
    if random_.random() < 0.5:
        line = lines.pop(random_.randrange(1, len(lines)))
        if random_.random() < 0.5:
            lines.insert(random_.randrange(1, len(lines)), line)
    return "\n".join(lines)


@pytest.mark.parametrize("name", SPECS)
def test_mutants(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    random_ = random.Random(1)
    reached = 0
    for _ in range(25):
        source = Source(name, mutant(text, random_))
        diagnostics = Diagnostics()
        tree = parse(source, diagnostics)
        if tree is None or diagnostics.has_errors:
            continue
        reached += 1
        found = check(tree, source, diagnostics)
        assert (found is None) == diagnostics.has_errors
        assert "unknown type" not in render(diagnostics.sorted(), color=False)
    assert reached > 2
